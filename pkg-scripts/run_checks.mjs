// What must hold of a run's report and of the adapter it exported, or the run did not happen.

import assert from "node:assert/strict";
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const KEYS = [
  "device", "model", "trainExamples", "testExamples", "steps", "msPerStep", "lossFirst", "lossLast", "baseAccuracy",
  "adapterAccuracy", "adapterBytes", "trainableParameters", "peakMemoryBytes", "wasmGzipBytes",
];

/**
 * @param {Record<string, unknown>} report times in milliseconds, sizes in bytes, accuracies from 0 to 1
 * @param {{device: string, sample: {train: unknown[], test: unknown[]}}} expected `device` is "auto" where none was forced
 */
export function checkReport(report, { device, sample }) {
  assert.deepEqual(Object.keys(report).sort(), KEYS.toSorted(), "the report's keys");
  const { device: ran, model, ...figures } = report;
  assert.ok(ran === "webgpu" || ran === "wasm", `an unknown device: ${ran}`);
  assert.ok(device === "auto" || ran === device, `${device} was asked for, ${ran} was used`);
  assert.match(model, /all-MiniLM-L6-v2/);
  for (const [name, value] of Object.entries(figures)) {
    assert.ok(Number.isFinite(value) && value > 0, `${name} is ${value}`);
  }
  assert.equal(figures.trainExamples, sample.train.length, "training examples");
  assert.equal(figures.testExamples, sample.test.length, "test examples");
  assert.ok(figures.lossLast < figures.lossFirst, `the loss went from ${figures.lossFirst} to ${figures.lossLast}`);
  assert.ok(figures.adapterAccuracy <= 1, `accuracy ${figures.adapterAccuracy}`);
  assert.ok(
    figures.adapterAccuracy > figures.baseAccuracy,
    `the adapter (${figures.adapterAccuracy}) is no better than the base (${figures.baseAccuracy})`,
  );
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
