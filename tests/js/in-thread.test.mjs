// `worker: false`: the engine in the calling thread.

import assert from "node:assert/strict";
import { test } from "node:test";
import { panic } from "./session.mjs";
import { source } from "./source.mjs";
import { FILES } from "./worker.mjs";

const { Model } = await source("model");

async function load(t, faults = {}) {
  globalThis.fakeFaults = faults;
  const model = await Model.fromPretrained(FILES, { worker: false, cache: false });
  t.after(() => model.dispose());
  return model;
}

test("a model runs in the calling thread", async (t) => {
  const model = await load(t);
  assert.deepEqual((await model.classify("a")).map(({ label }) => label), ["base"]);
});

test("models of one thread share the module", async (t) => {
  const before = globalThis.fakeInstances.length;
  await load(t);
  await load(t);
  assert.equal(globalThis.fakeInstances.length, before);
});

test("after a panic the next call has a fresh instance of the module, and all adapters", async (t) => {
  const model = await load(t, { classify: [panic()] });
  await model.addAdapter("one");
  const before = globalThis.fakeInstances.length;
  await assert.rejects(model.classify("a"), { code: "panic" });
  assert.deepEqual((await model.classify("a")).map(({ label }) => label), ["one"]);
  assert.equal(globalThis.fakeInstances.length, before + 1);
});

test("a disposed model frees its session", async (t) => {
  const faults = { sessions: [] };
  const model = await load(t, faults);
  model.dispose();
  await assert.rejects(model.classify("a"), { code: "disposed" });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(faults.sessions[0].freed, true);
});
