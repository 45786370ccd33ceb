// Load, train, stop, try and measure on the page.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MINILM, openDemo, path, TINY } from "./demo.mjs";

test("loads the model and says on which device and why", async (t) => {
  const demo = await openDemo(t, { parameters: MINILM });
  await demo.get("load-model").click();
  await demo.until("model-status", /^Ready/);
  assert.equal(await demo.text("device"), "wasm");
  assert.match(await demo.text("device-reason"), /asked for/i);
  assert.match(await demo.text("memory"), /Model weights\s+90\.\d MB/);
});

test("trains on a task, answers beside the base and measures both", async (t) => {
  const demo = await openDemo(t, { parameters: MINILM });
  await demo.loadSample();
  await demo.train("repairs");
  assert.match(await demo.text("train-status"), /^Done: 8 steps in .+, loss [\d.]+ to [\d.]+/);
  assert.equal(await demo.get("progress").evaluate((bar) => bar.value / bar.max), 1);
  assert.match(await demo.page.locator("#loss-chart").getAttribute("aria-label"), /in 8 steps$/);

  await demo.classify("What does a new lens cost?");
  assert.deepEqual(Object.keys(await demo.scores("answer-base")), ["price", "status", "thanks"]);
  assert.deepEqual(Object.keys(await demo.scores("answer-adapter")), ["price", "status", "thanks"]);

  await demo.get("evaluate").click();
  await demo.until("test-adapter-accuracy", /%/);
  const report = JSON.parse(await demo.get("report").textContent());
  assert.equal(report.device, "wasm");
  assert.equal(report.model, "sentence-transformers/all-MiniLM-L6-v2");
  assert.deepEqual([report.trainExamples, report.testExamples, report.steps], [12, 6, 8]);
  for (const [name, value] of Object.entries(report)) if (typeof value === "number") assert.ok(value > 0, `${name} is ${value}`);
  assert.equal(await demo.text("test-base-accuracy"), `${(report.baseAccuracy * 100).toFixed(1)} %`);
});

test("stops when asked and keeps what was learnt", async (t) => {
  const demo = await openDemo(t, { parameters: { ...TINY, steps: "5000" } });
  await demo.loadSample();
  await demo.get("train").click();
  await demo.until("train-status", /^Step [2-9]/);
  await demo.get("stop").click();
  await demo.until("train-status", /^Stopped, and what it learnt so far is kept: \d+ steps?/);
  assert.equal(await demo.page.locator("[data-adapter]").count(), 1);
  await demo.classify("Is the phone done?");
});

test("says kindly what is missing", async (t) => {
  const demo = await openDemo(t);
  await demo.get("train").click();
  await demo.error(/no training examples yet/);
  await demo.get("evaluate").click();
  await demo.error(/There is no adapter yet/);
  await demo.get("classify").click();
  await demo.error(/There is no sentence yet/);
});

test("shows a model that cannot be reached, and loads the right one after it", async (t) => {
  const demo = await openDemo(t, { parameters: MINILM, expected: /404/ });
  await demo.page.getByText("Choose device and model").click();
  await demo.page.getByLabel("Model id").fill("nobody/nothing");
  await demo.get("load-model").click();
  await demo.error(/The model did not load/);
  await demo.error(/file-unreachable/);
  await demo.page.getByLabel("Model id").fill("/tiny-bert-mean");
  await demo.get("load-model").click();
  await demo.until("model-status", /^Ready/);
});

test("takes a model from files that a person picks, one by one or together", async (t) => {
  const demo = await openDemo(t);
  await demo.page.getByText("Choose device and model").click();
  await demo.page.getByLabel("Files on this device").check();
  await demo.get("load-model").click();
  await demo.error(/No model files are chosen/);
  const files = (...names) => names.map((name) => path(`fixtures/tiny-bert-mean/${name}`));
  await demo.page.locator("#model-files").setInputFiles(files("config.json"));
  await demo.page.locator("#model-files").setInputFiles(files("tokenizer.json", "model.safetensors"));
  await demo.loadSample();
  await demo.train("from-files");
  await demo.classify("abc");
});

test("makes the model anew when the labels change, and keeps the adapters of the old ones", async (t) => {
  const demo = await openDemo(t);
  await demo.loadSample();
  await demo.train("three");
  await demo.page.getByText("Add your own").click();
  await demo.page.locator("#csv-text").fill("another kind,extra\nof sentence,extra");
  await demo.page.getByRole("button", { name: "Add examples" }).click();
  await demo.get("train").click();
  await demo.error(/"three" knows other labels/);
  await demo.train("four");
  await demo.classify("abc");
  assert.deepEqual(Object.keys(await demo.scores("answer-adapter")), ["extra", "price", "status", "thanks"]);
  await demo.page.getByRole("radio", { name: /^three/ }).check();
  await demo.page.locator(".answer.adapter li", { hasText: "extra" }).waitFor({ state: "detached" });
  assert.deepEqual(Object.keys(await demo.scores("answer-adapter")), ["price", "status", "thanks"]);
});
