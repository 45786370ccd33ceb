// Activations in 16 bits. SwiftShader, the adapter of the browser here, has no `shader-f16`; the null device of Dawn, Chromium's WebGPU, has.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { plainPage } from "./package.mjs";
import { open } from "./site.mjs";

const DAWN = fileURLToPath(new URL("dawn.mjs", import.meta.url));
const HALF = { activationDtype: "f16" };

const TASKS = {
  "text-classification": ["bert", "distilbert", "mpnet"],
  "text-generation": ["gpt2", "llama", "mistral", "qwen2", "qwen3", "gemma3_text"],
  "text2text-generation": ["t5", "t5-gated"],
};

/** What the package in Dawn says of a job. */
async function inDawn(job) {
  const { stdout } = await promisify(execFile)(process.execPath, [DAWN, JSON.stringify(job)], { timeout: 120_000 });
  return JSON.parse(stdout);
}

for (const [task, families] of Object.entries(TASKS)) {
  for (const family of families) {
    test(`${family} trains and answers in 16 bits with kernels that Dawn takes`, async () => {
      const { error, activationDtype, half } = await inDawn({ family, task, options: HALF });
      assert.equal(error, undefined);
      assert.equal(activationDtype, "f16");
      assert.ok(half.includes("Linear") && half.length > 5, half.join(" "));
    });
  }
}

for (const gguf of ["mixed.gguf", "gpt2-blocks.gguf"]) {
  test(`${gguf} trains and answers in blocks and 16 bits with kernels that Dawn takes`, async () => {
    const { error, half } = await inDawn({ gguf, task: "text-generation", options: HALF });
    assert.equal(error, undefined);
    for (const op of ["Linear", "Attention", "AttentionGrad", "CachedAttention", "Store"]) assert.ok(half.includes(op), op);
  });
}

test("nothing is in 16 bits unless it is asked for", async () => {
  assert.deepEqual(await inDawn({ family: "llama", task: "text-generation" }), { activationDtype: "f32", half: [] });
});

test("a browser says in which format it keeps them", async (t) => {
  const { page } = await open(t, plainPage(), { file: "plain.html" });
  const [found, able] = await page.evaluate(async (options) => {
    const model = await ia3.Model.fromPretrained("tiny/bert-mean", { baseUrl: "/hub", device: "webgpu", worker: false, warmUp: false, ...options });
    await model.embed("the cat");
    const onProcessor = await ia3.Model.fromPretrained("tiny/bert-mean", { baseUrl: "/hub", device: "wasm", ...options });
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
    return [[model, onProcessor].map(({ deviceInfo }) => deviceInfo.activationDtype), adapter.features.has("shader-f16")];
  }, HALF);
  assert.deepEqual(found, [able ? "f16" : "f32", "f32"]);
});

test("a kernel that Dawn does not take is an error", async () => {
  const { error } = await inDawn({ family: "llama", task: "text-generation", options: HALF, spoil: true });
  assert.deepEqual([error.name, error.code], ["Ia3Error", "internal"]);
  assert.match(error.message, /f17/);
});
