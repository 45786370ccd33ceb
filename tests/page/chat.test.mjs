// The chat page: train on pairs, chat with base and adapter side by side, stop, measure, and a person's own files.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openDemo, path, SMOLLM2, TINY_CHAT } from "./demo.mjs";

const answers = (demo) => demo.page.locator(".turn:last-child .answer");

async function say(demo, message) {
  const turns = await demo.page.locator(".turn").count();
  await demo.get("chat-input").fill(message);
  await demo.get("send").click();
  await demo.page.locator(".turn .hint", { hasText: /token/ }).nth(turns).waitFor();
}

test("learns pairs, answers beside the base and measures both", async (t) => {
  const demo = await openDemo(t, TINY_CHAT);
  await demo.loadSample();
  assert.equal(await demo.page.locator("#instruction").inputValue(), "Cat:");
  await demo.train("cat");
  assert.match(await demo.text("train-status"), /^Done: 4 steps in .+, loss [\d.]+ to [\d.]+/);

  await say(demo, "hello");
  assert.deepEqual(await answers(demo).locator("h3").allInnerTexts(), ["Base model", "cat"]);
  for (const reply of await answers(demo).locator(".reply").allInnerTexts()) assert.notEqual(reply.trim(), "");
  assert.equal(await demo.get("chat-input").inputValue(), "");

  await demo.get("evaluate").click();
  await demo.done("evaluate-card");
  const report = JSON.parse(await demo.get("report").textContent());
  assert.deepEqual([report.device, report.model, report.trainExamples, report.testExamples, report.steps], ["wasm", "/gguf/chat.gguf", 4, 2, 4]);
  for (const rate of ["decodeTokensPerSecond", "prefillTokensPerSecond", "peakMemoryBytes", "adapterBytes"]) assert.ok(report[rate] > 0, `${rate} is ${report[rate]}`);
  for (const share of [report.baseExactMatch, report.adapterExactMatch]) assert.ok(share >= 0 && share <= 1);
  assert.equal(await demo.text("test-base-accuracy"), `${(report.baseExactMatch * 100).toFixed(1)} %`);
});

test("the base chats alone before there is an adapter, and remembers the turns until a new chat", async (t) => {
  const demo = await openDemo(t, TINY_CHAT);
  await say(demo, "hello");
  assert.deepEqual(await answers(demo).locator("h3").allInnerTexts(), ["Base model"]);
  assert.match(await answers(demo).innerText(), /8 tokens · \d+ a second · cut at the longest answer/);
  const first = await answers(demo).locator(".reply").innerText();
  await say(demo, "and then?");
  const remembered = await answers(demo).locator(".reply").innerText();
  await demo.page.getByRole("button", { name: "New chat" }).click();
  assert.equal(await demo.page.locator(".turn").count(), 0);
  await say(demo, "hello");
  assert.equal(await answers(demo).locator(".reply").innerText(), first, "a fresh chat knows nothing of the last one");
  await demo.page.getByText("How it answers").click();
  await demo.page.getByLabel("Remember the earlier turns").uncheck();
  await say(demo, "and then?");
  assert.notEqual(await answers(demo).locator(".reply").innerText(), remembered);
});

test("trains and answers on WebGPU when it is asked for", async (t) => {
  const demo = await openDemo(t, { ...TINY_CHAT, parameters: { ...TINY_CHAT.parameters, device: "webgpu" } });
  await demo.loadSample();
  await demo.train("cat");
  assert.equal(await demo.text("device"), "webgpu");
  await say(demo, "hello");
  assert.equal(await answers(demo).count(), 2);
});

test("SmolLM2 answers, stops when asked, and what was written stays", async (t) => {
  const demo = await openDemo(t, SMOLLM2);
  await demo.get("chat-input").fill("Tell me the story of the three little pigs.");
  await demo.get("send").click();
  await demo.page.locator(".turn .reply", { hasText: /\w+ \w+/ }).waitFor();
  await demo.get("stop-answer").click();
  await demo.page.locator(".turn .hint", { hasText: /stopped$/ }).waitFor();
  assert.ok(await demo.get("stop-answer").isDisabled());
  await demo.page.getByText("How it answers").click();
  await demo.page.locator("#max-new-tokens").fill("4");
  await say(demo, "hello");
});

test("takes a person's own GGUF, the last one that was dropped", async (t) => {
  const demo = await openDemo(t, TINY_CHAT);
  await demo.page.getByText("Choose device and model").click();
  await demo.page.getByLabel("Files on this device").check();
  await demo.get("load-model").click();
  await demo.error(/No model files are chosen. Choose one \.gguf/);
  await demo.page.locator("#model-files").setInputFiles(path("fixtures/gguf/bert.gguf"));
  await demo.page.locator("#model-files").setInputFiles(path("fixtures/gguf/chat.gguf"));
  await demo.get("load-model").click();
  await demo.until("model-status", /^Ready: chat\.gguf/);
  await say(demo, "hello");
});

test("pairs come one by one and in files, and what cannot be read is named", async (t) => {
  const demo = await openDemo(t, TINY_CHAT);
  const prompts = () => demo.page.locator("#example-list .pair > span:first-child").allInnerTexts();
  await demo.page.locator("#pair-prompt").fill("one");
  await demo.page.locator("#pair-answer").fill("two, three");
  await demo.page.locator("#pair-answer").press("Enter");
  assert.deepEqual(await prompts(), ["one"]);
  await demo.page.getByRole("button", { name: "Add pair" }).click();
  await demo.error(/A pair needs a prompt and the answer/);
  const drop = (name, text) => demo.page.locator("#pair-file").setInputFiles({ name, mimeType: "text/plain", buffer: Buffer.from(text) });
  await drop("a.csv", 'question,response\n"x, y",z\n');
  await demo.page.locator(".pair", { hasText: "x, y" }).waitFor();
  await drop("b.jsonl", '{"prompt": "p", "completion": "c"}\n{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}\n{"prompt": 1}\nnonsense\n');
  await demo.error(/2 entries of b\.jsonl could not be read[\s\S]*Line 3 is no object[\s\S]*Line 4/);
  assert.deepEqual(await prompts(), ["one", "x, y", "p", "q"]);
  await drop("c.json", "{}");
  await demo.error(/c\.json is no JSON list/);
});

test("says kindly what is missing, and loses nothing to an error", async (t) => {
  const demo = await openDemo(t, TINY_CHAT);
  await demo.get("train").click();
  await demo.error(/no pairs to learn from yet/);
  await demo.get("send").click();
  await demo.error(/nothing to answer yet/);
  await demo.page.getByText("How it answers").click();
  await demo.page.locator("#max-new-tokens").fill("100000");
  await demo.get("chat-input").fill("hello");
  await demo.get("send").click();
  await demo.error(/maxNewTokens is 100000/);
  assert.equal(await demo.get("chat-input").inputValue(), "hello");
  assert.equal(await demo.page.locator(".turn").count(), 0);
});

test("a person gets from one page to the other", async (t) => {
  const demo = await openDemo(t, TINY_CHAT);
  await demo.page.getByRole("link", { name: "Classify" }).click();
  await demo.get("classify").waitFor();
  await demo.page.getByRole("link", { name: "Chat" }).click();
  await demo.get("send").waitFor();
});
