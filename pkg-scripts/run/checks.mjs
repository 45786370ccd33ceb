// What must hold of a run's report and of the adapter it exported, or the run did not happen.

import assert from "node:assert/strict";
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const TRAINED = [
  "device", "model", "trainExamples", "testExamples", "steps", "msPerStep", "lossFirst", "lossLast", "adapterBytes", "peakMemoryBytes",
];
const MINILM = [...TRAINED, "baseAccuracy", "adapterAccuracy", "trainableParameters", "wasmGzipBytes"];
const SMOLLM2 = [...TRAINED, "baseExactMatch", "adapterExactMatch", "decodeTokensPerSecond", "prefillTokensPerSecond"];

/**
 * @param {Record<string, unknown>} report times in milliseconds, sizes in bytes, accuracies from 0 to 1
 * @param {{device: string, sample: {train: unknown[], test: unknown[]}}} expected `device` is "auto" where none was forced
 */
export function checkMiniLmReport(report, expected) {
  assert.deepEqual(Object.keys(report).sort(), MINILM.toSorted(), "the report's keys");
  assert.match(report.model, /all-MiniLM-L6-v2/);
  checkTraining(report, expected);
  checkGain(report.baseAccuracy, report.adapterAccuracy);
}

/** The same of the chat model's run; an exact match of 0 is what its base may well have. */
export function checkSmolLm2Report(report, expected) {
  assert.deepEqual(Object.keys(report).sort(), SMOLLM2.toSorted(), "the report's keys");
  assert.match(report.model, /SmolLM2-135M-Instruct/);
  const { baseExactMatch, ...others } = report;
  checkTraining(others, expected);
  checkGain(baseExactMatch, report.adapterExactMatch);
}

/** Of a run on the sample task every figure is known and positive, and the loss fell. */
function checkTraining({ device: ran, model: _, ...figures }, { device, sample }) {
  assert.ok(ran === "webgpu" || ran === "wasm", `an unknown device: ${ran}`);
  assert.ok(device === "auto" || ran === device, `${device} was asked for, ${ran} was used`);
  for (const [name, value] of Object.entries(figures)) {
    assert.ok(Number.isFinite(value) && value > 0, `${name} is ${value}`);
  }
  assert.equal(figures.trainExamples, sample.train.length, "training examples");
  assert.equal(figures.testExamples, sample.test.length, "test examples");
  assert.ok(figures.lossLast < figures.lossFirst, `the loss went from ${figures.lossFirst} to ${figures.lossLast}`);
}

function checkGain(base, adapter) {
  assert.ok(Number.isFinite(base) && base >= 0, `the base has ${base}`);
  assert.ok(adapter <= 1, `the adapter has ${adapter}`);
  assert.ok(adapter > base, `the adapter (${adapter}) is no better than the base (${base})`);
}

/** The folder must be an IA3 adapter as PEFT writes it, of the size that was reported. */
export function checkAdapter(folder, { adapterBytes }) {
  const config = JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8"));
  assert.equal(config.peft_type, "IA3");
  const names = tensorNames(readFileSync(join(folder, "adapter_model.safetensors")));
  assert.ok(names.some((name) => name.startsWith("base_model.model.") && name.endsWith(".ia3_l")), `tensors: ${names}`);
  const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  assert.equal(bytes, adapterBytes, "bytes of the exported adapter");
}

function tensorNames(file) {
  const header = JSON.parse(file.subarray(8, 8 + Number(file.readBigUInt64LE(0))).toString("utf8"));
  return Object.keys(header).filter((name) => name !== "__metadata__");
}
