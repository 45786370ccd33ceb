// What the measurements do with a model: load it, train an adapter, and count what that cost.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { folders } from "../folders.mjs";

const { pkg } = folders();

/** A session of the built module on the processor, with the model of a folder. */
export async function session(folder, { task, labels = [] }) {
  const { default: init, Session } = await import(pathToFileURL(join(pkg, "ia3_web.js")).href);
  await init({ module_or_path: readFileSync(join(pkg, "ia3_web_bg.wasm")) });
  const file = (name) => readFileSync(join(folder, name));
  const made = new Session(file("config.json"), file("tokenizer.json"), { task, labels, pooling: "mean" });
  await made.openDevice("wasm");
  made.beginWeights();
  made.beginFile("model.safetensors", undefined, undefined);
  made.feedWeights(file("model.safetensors"));
  await made.finishWeights();
  return made;
}

/** Seconds of processor time so far: on a busy machine they tell more of the work than the clock does. */
export function processorSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Trains a fresh adapter, and says how many seconds it took. */
export async function train(model, name, examples, options) {
  model.addAdapter(name, {});
  const begin = processorSeconds();
  await model.beginTraining(name, examples, options);
  while (!(await model.trainStep()).some((event) => event.type === "end"));
  await model.endTraining("completed");
  return processorSeconds() - begin;
}

/** Bytes of a saved adapter. */
export function adapterBytes(model, name) {
  return Object.values(model.saveAdapter(name)).reduce((sum, file) => sum + file.length, 0);
}

export const mean = (numbers) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
