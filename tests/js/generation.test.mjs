// Generating text through the whole JavaScript side, over a session that only pretends.

import assert from "node:assert/strict";
import { test } from "node:test";
import { wasmError } from "./session.mjs";
import { source } from "./source.mjs";
import { FakeWorker, fakeRuntime } from "./worker.mjs";

const { Model } = await source("model");
const { Ia3Error } = await source("errors");

const FILES = Object.fromEntries(["config.json", "tokenizer.json", "model.safetensors"].map((name) => [name, new Uint8Array([1, 2])]));

async function load(t, faults = {}, options = {}) {
  const sessions = [];
  const worker = () => new FakeWorker(fakeRuntime({ ...faults, sessions }));
  const model = await Model.fromPretrained(FILES, { worker, task: "text-generation", chatTemplate: "{% for m in messages %}<{{ m.content }}>{% endfor %}", ...options });
  t.after(() => model.dispose());
  return { model, session: sessions[0], sessions };
}

const begun = (session) => session.calls.find(([name]) => name === "beginGeneration").slice(1);

async function collect(generation) {
  const tokens = [];
  for await (const token of generation) tokens.push(token);
  return tokens;
}

test("a prompt's tokens come one by one, and its text at the end", async (t) => {
  const { model, session } = await load(t);
  const generation = model.generate("ab", { maxNewTokens: 3 });
  assert.deepEqual((await collect(generation)).map(({ row, text }) => [row, text]), [[0, "0"], [0, "1"], [0, "2"]]);
  assert.deepEqual(await generation, { text: "012", tokenIds: [0, 1, 2], finishReason: "length", promptTokens: 3 });
  assert.deepEqual(begun(session), [["ab"], { active: [] }, { maxNewTokens: 3, stop: [] }]);
});

test("prompts, conversations, adapters and all options reach the session", async (t) => {
  const { model, session } = await load(t);
  await model.addAdapter("a");
  const sampling = { temperature: 0.5, topK: 4, topP: 0.9, minP: 0.1, repetitionPenalty: 1.1, seed: 7 };
  const found = await model.generate(["x", [{ role: "user", content: "y" }]], { ...sampling, maxNewTokens: 2, stop: "end", adapter: ["a", null] });
  assert.deepEqual(found.map(({ text }) => text), ["01", "01"]);
  assert.deepEqual(begun(session), [["x", { rendered: "<y>" }], { rows: ["a", null] }, { ...sampling, maxNewTokens: 2, stop: ["end"] }]);
});

test("a conversation alone is one prompt", async (t) => {
  const { model, session } = await load(t);
  const { text } = await model.generate([{ role: "user", content: "y" }], { maxNewTokens: 1, stop: ["a", "b"] });
  assert.equal(text, "0");
  assert.deepEqual(begun(session), [[{ rendered: "<y>" }], { active: [] }, { maxNewTokens: 1, stop: ["a", "b"] }]);
});

test("encoder-decoder models generate from texts, and know no conversations", async (t) => {
  const { model, session } = await load(t, {}, { task: "text2text-generation", chatTemplate: undefined });
  const found = await model.generate(["ab", "c"], { maxNewTokens: 2 });
  assert.deepEqual(found.map(({ text }) => text), ["01", "01"]);
  assert.deepEqual(begun(session), [["ab", "c"], { active: [] }, { maxNewTokens: 2, stop: [] }]);
  await assert.rejects(model.generate([{ role: "user", content: "y" }]), (error) => error.code === "bad-option" && /prompt of input 0/.test(error.message));
});

test("stopping, or leaving the loop, ends it with what there is", async (t) => {
  const { model, session } = await load(t, { delay: 1 });
  for (const leave of [true, false]) {
    const generation = model.generate("ab", { maxNewTokens: 1000 });
    for await (const { id } of generation) {
      if (id < 2) continue;
      if (leave) break;
      generation.stop();
    }
    const { finishReason, tokenIds } = await generation;
    assert.equal(finishReason, "aborted");
    assert.ok(tokenIds.length > 2 && tokenIds.length < 1000);
    assert.equal(session.generation, null);
  }
});

test("the caller's signal ends the loop and rejects the promise", async (t) => {
  const { model, session } = await load(t, { delay: 1 });
  const controller = new AbortController();
  const generation = model.generate("ab", { maxNewTokens: 1000, signal: controller.signal });
  for await (const { id } of generation) if (id === 2) controller.abort(new Error("enough"));
  await assert.rejects(generation, /enough/);
  assert.equal(session.generation, null);
});

test("other calls come in between tokens", async (t) => {
  const { model } = await load(t, { delay: 1 });
  const generation = model.generate("ab", { maxNewTokens: 50 });
  let between = 0;
  for await (const { id } of generation) {
    if (id % 10 > 0) continue;
    await model.score({ prompt: "a", continuation: "b" });
    between++;
  }
  assert.equal(between, 5);
  assert.equal((await generation).finishReason, "length");
});

test("after the loss of a device it goes on with the next token", async (t) => {
  const { model, session } = await load(t, { nextTokens: [undefined, wasmError("device-lost")] });
  assert.equal((await model.generate("ab", { maxNewTokens: 3 })).text, "012");
  assert.equal(session.calls.filter(([name]) => name === "openDevice").length, 2);
});

test("an error in the middle ends the generation, and the next one starts", async (t) => {
  const { model } = await load(t, { nextTokens: [undefined, wasmError("out-of-memory")] });
  const generation = model.generate("ab", { maxNewTokens: 3 });
  await assert.rejects(collect(generation), (error) => error instanceof Ia3Error && error.code === "out-of-memory");
  assert.equal((await model.generate("ab", { maxNewTokens: 1 })).text, "0");
});

test("what is no prompt or option is refused by name", async (t) => {
  const { model } = await load(t);
  const refused = (generation, pattern) => assert.rejects(generation, (error) => error.code === "bad-option" && pattern.test(error.message));
  await refused(model.generate(7), /prompt of input 0/);
  await refused(model.generate(["a", 7]), /prompt of input 1/);
  await refused(model.generate("a", { maxTokens: 3 }), /unknown option maxTokens/);
  await refused(model.generate("a", { stop: 3 }), /option stop/);
  await refused(model.generate(["a", "b"], { adapter: ["x"] }), /option adapter has 1 entries for 2 rows/);
});
