/** The rows of an encoder: a forward pass and a training step, with the same model, so that they can be compared. */

import { Model } from "ia3-web";
import { breathe, type Job } from "./job.js";
import type { ModelFiles } from "./model-files.js";
import { encoderName, type Held, ownRow, type Row } from "./row.js";
import { Stopwatch } from "./stopwatch.js";
import { examples, LABELS, texts } from "./texts.js";

const ADAPTER = "bench";
/** Steps beyond the timed ones: warm-ups, and those under way when the last timed one is done. */
const SPARE_STEPS = 10;

/** Measures those rows that the job asks for. The engine runs in the page's thread, where its calls to WebGPU are counted. */
export async function* encoderRows(files: ModelFiles, asked: Job): AsyncGenerator<Row, void, undefined> {
  const { device, activationDtype, kinds, signal } = asked;
  const options = { device, activationDtype, labels: LABELS, worker: false, cache: false, warmUp: false as const, signal };
  const model = await Model.fromPretrained(files, options);
  const job = { ...asked, activationDtype: model.deviceInfo.activationDtype }; // not what was asked for, but what is measured
  try {
    await model.addAdapter(ADAPTER);
    if (kinds.includes("encoder-forward")) yield await forwardRow(model, job);
    if (kinds.includes("encoder-train")) yield await trainRow(model, job);
  } finally {
    model.dispose();
  }
}

async function forwardRow(model: Model, job: Job): Promise<Row> {
  const { shape, limits, signal, say } = job;
  const name = encoderName("encoder-forward", shape);
  const rows = texts(shape);
  const watch = new Stopwatch(limits);
  while (!watch.enough) {
    say(name);
    await breathe(signal);
    await watch.time(() => model.embed(rows, shape));
  }
  return ownRow(name, job, watch.figures, heldBy(model));
}

async function trainRow(model: Model, job: Job): Promise<Row> {
  const { shape, limits, signal, say } = job;
  const name = encoderName("encoder-train", shape);
  const steps = limits.runs + SPARE_STEPS;
  const watch = new Stopwatch(limits);
  let held = heldBy(model); // after the run its activations are gone
  say(name);
  const run = model.train(ADAPTER, examples(shape), { ...shape, objective: "cross-entropy", steps, signal });
  for await (const event of run) {
    if (event.type !== "step" || watch.enough) continue;
    watch.add(event.ms);
    held = heldBy(model);
    if (watch.enough) run.stop();
  }
  await run;
  return ownRow(name, job, watch.figures, held);
}

function heldBy(model: Model): Held {
  const { activationBytes, wasmBytes } = model.memory();
  return { activationBytes, wasmBytes };
}
