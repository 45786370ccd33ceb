// Threads on the processor, where the page is cross-origin isolated: the same numbers to the bit, and what goes wrong with them.

import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isError } from "./faults.mjs";
import { wholeJob } from "./job.mjs";
import { fixture, plainPage } from "./package.mjs";
import { MINILM, open, SMOLLM2, TINY } from "./site.mjs";

const isolated = (t, options = {}) => open(t, plainPage(), { file: "plain.html", isolated: true, ...options });

const { sentences: SENTENCES } = JSON.parse(fixture("minilm/run.json"));

/** Trains MiniLM for two steps on so many threads and embeds with what was learned. */
function trained(page, threads) {
  return page.evaluate(
    async ([source, texts, threads]) => {
      const options = { baseUrl: "/hub", labels: ["even", "odd"], device: "wasm", cache: false, threads };
      const model = await ia3.Model.fromPretrained(source, options);
      await model.addAdapter("a");
      const examples = texts.map((text, at) => ({ text, label: ["even", "odd"][at % 2] }));
      const { losses } = await model.train("a", examples, { steps: 2, batchSize: 8, objective: "cross-entropy" });
      const vectors = (await model.embed(texts, { adapter: "a" })).map((vector) => [...vector]);
      const found = { losses, vectors, threads: model.deviceInfo.threads, device: model.device };
      model.dispose();
      return found;
    },
    [MINILM, SENTENCES.slice(0, 8), threads],
  );
}

test("an encoder learns and answers the same on three threads as on one", async (t) => {
  const { page } = await isolated(t);
  const [{ threads: one, ...alone }, { threads: three, ...shared }] = [await trained(page, 1), await trained(page, 3)];
  assert.deepEqual([one, three], [1, 3]);
  assert.ok(alone.losses.every((loss) => loss > 0));
  assert.deepEqual(shared, alone);
});

/** Tokens that SmolLM2 writes, and the probabilities of others. */
function written(page, threads) {
  return page.evaluate(
    async ([{ id, file }, threads]) => {
      const options = { task: "text-generation", baseUrl: "/hub", ggufFile: file, device: "wasm", warmUp: false, threads };
      const model = await ia3.Model.fromPretrained(id, options);
      const prompt = [{ role: "user", content: "Name three rivers, and say of each where it begins and where it ends." }];
      const { tokenIds } = await model.generate(prompt, { maxNewTokens: 6 });
      const scored = await model.score({ prompt, continuation: "The Rhine" });
      const found = { tokenIds, scored, threads: model.deviceInfo.threads };
      model.dispose();
      return found;
    },
    [SMOLLM2, threads],
  );
}

test("a language model writes the same on three threads as on one", async (t) => {
  const { page } = await isolated(t);
  const [{ threads: one, ...alone }, { threads: three, ...shared }] = [await written(page, 1), await written(page, 3)];
  assert.deepEqual([one, three, alone.tokenIds.length], [1, 3, 6]);
  assert.deepEqual(shared, alone);
});

test("a page that is not isolated has one thread", async (t) => {
  const { page } = await open(t, plainPage(), { file: "plain.html" });
  assert.equal(await threadsOf(page, { threads: 4 }), 1);
});

/** Threads of a tiny model that is loaded so; `worker` is the script of a worker that the caller makes. */
function threadsOf(page, { worker, ...options }) {
  return page.evaluate(
    async ([source, worker, options]) => {
      const made = () => new Worker(new URL(`/node_modules/ia3-web/${worker}`, location.href), { type: "module" });
      const told = { baseUrl: "/hub", device: "wasm", cache: false, ...options, ...(worker && { worker: made }) };
      const model = await ia3.Model.fromPretrained(source, told);
      const { threads } = model.deviceInfo;
      if ((await model.embed("a cat"))[0].length === 0) throw new Error("no vector");
      model.dispose();
      return threads;
    },
    [TINY.mean, worker, options],
  );
}

test("the caller's own workers have threads where their script has", async (t) => {
  const { page } = await isolated(t);
  assert.equal(await threadsOf(page, { threads: 2, worker: "worker-threads.js" }), 2);
  assert.equal(await threadsOf(page, { threads: 2, worker: "worker.js" }), 1);
  assert.equal(await threadsOf(page, { threads: 2 }), 2);
  const { page: other } = await open(t, plainPage(), { file: "plain.html" });
  await assert.rejects(threadsOf(other, { threads: 2, worker: "worker-threads.js" }), /cross-origin isolated.*worker\.js/);
});

test("the module with threads does the whole job, on either device", async (t) => {
  const { page } = await isolated(t);
  await wholeJob(page, { pooling: "mean", device: "wasm", threads: 3 });
  // The device is chosen after the module.
  await page.evaluate(() => {
    const { fromPretrained } = ia3.Model;
    const worker = () => new Worker(new URL("/node_modules/ia3-web/worker-threads.js", location.href), { type: "module" });
    ia3.Model.fromPretrained = (source, options) => fromPretrained.call(ia3.Model, source, { ...options, worker });
  });
  await wholeJob(page, { pooling: "mean", device: "webgpu" });
});

/** Where the page has the script of helpers. Playwright does not see what a worker of a worker asks for. */
const HELPER = "/node_modules/ia3-web/helper.js";

/** A script in place of the helper's that is there for one test. */
function helperScript(t, text) {
  const folder = mkdtempSync(join(tmpdir(), "ia3-web-helper-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const script = join(folder, "helper.js");
  writeFileSync(script, text);
  return script;
}

test("a helper that is cut off stops the engine, and the next call starts a fresh one with all adapters", async (t) => {
  // It says that it helps, and counts itself as lost, which is all that a trap leaves behind.
  const script = helperScript(t, `addEventListener("message", ({ data }) => {
    postMessage(null);
    Atomics.add(new Int32Array(data.memory.buffer), data.lost / 4, 1);
  });`);
  const { page } = await isolated(t, { replaced: { [HELPER]: script }, expected: /shared the work|unreachable/ });
  await page.evaluate(async ([source]) => {
    const options = { baseUrl: "/hub", labels: ["even", "odd"], device: "wasm", threads: 2 };
    globalThis.model = await ia3.Model.fromPretrained(source, options);
    await model.addAdapter("kept", { init: { normal: 0.2 }, seed: 1 });
  }, [MINILM]);
  const embedded = (options) => page.evaluate(([texts, options]) => job.caught(ia3, model.embed(texts, options)), [SENTENCES.slice(0, 8), options]);
  isError(await embedded({}), "panic", /adapters are kept/);
  copyFileSync(join(plainPage(), HELPER), script);
  assert.equal((await embedded({ adapter: "kept" })).code, "none");
  assert.equal(await page.evaluate(() => model.deviceInfo.threads), 2);
});

test("a helper that cannot start is told by its name", async (t) => {
  const { page } = await isolated(t, { replaced: { [HELPER]: "/nowhere" }, expected: /404/ });
  const error = await page.evaluate(
    ([source]) => job.caught(ia3, ia3.Model.fromPretrained(source, { baseUrl: "/hub", device: "wasm", threads: 2 })),
    [TINY.mean],
  );
  isError(error, "file-unreachable", /helper\.js.*worker-threads\.js.*threads: 1/);
});

test("a helper that could not start is tried again by the next load in a worker of the caller's", async (t) => {
  const script = helperScript(t, `throw new Error("not yet");`);
  const { page } = await isolated(t, { replaced: { [HELPER]: script }, expected: /not yet/ });
  const load = () => page.evaluate(
    async ([source]) => {
      globalThis.worker ??= new Worker(new URL("/node_modules/ia3-web/worker-threads.js", location.href), { type: "module" });
      return job.caught(ia3, ia3.Model.fromPretrained(source, { baseUrl: "/hub", device: "wasm", threads: 2, worker }));
    },
    [TINY.mean],
  );
  isError(await load(), "file-unreachable", /helper\.js/);
  copyFileSync(join(plainPage(), HELPER), script);
  assert.equal((await load()).code, "none");
});
