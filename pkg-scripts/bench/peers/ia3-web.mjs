// ia3-web on language models, and with threads on the encoder too: the package as a page loads it, a GGUF in its cache after the first load. On
// the processor it runs in its worker, on WebGPU in the page's thread, where its calls can be counted.

import { Tally } from "../../../www/src/bench/calls.ts";
import { examples, LABELS, texts } from "../../../www/src/bench/texts.ts";
import { DECODE, fileOf, learned, prompt, TRAIN } from "./language.mjs";

const ADAPTER = "bench";
/** More than are ever timed. */
const STEPS = 1000;
/** What the encoder reads. */
const SHAPE = { batchSize: 8, maxLength: 64 };

/** With one thread. */
export const open = (device, format) => openWith(1, device, format);

/** With as many threads as the package takes by itself. */
export const openShared = (device, format) => openWith(undefined, device, format);

async function openWith(threads, device, format) {
  const { Model } = await import("/pkg/index.js");
  const options = { device, threads, worker: device === "wasm", warmUp: false };
  const loaded = () => Model.fromPretrained(location.origin + fileOf(format), { ...options, task: "text-generation" });
  const encoder = () => Model.fromPretrained("sentence-transformers/all-MiniLM-L6-v2", { ...options, labels: LABELS, baseUrl: "/hub" });
  return {
    "encoder-forward": () => forward(encoder),
    "encoder-train": () => trainEncoder(encoder),
    "generate-load": () => load(loaded),
    "generate-prefill": () => prefill(loaded),
    "generate-decode": () => decode(loaded),
    "language-train": () => train(loaded, { batch: learned(), ...TRAIN }),
  };
}

function load(loaded) {
  let model;
  const sample = async () => {
    model?.dispose();
    const start = performance.now();
    model = await loaded();
    return { ms: performance.now() - start };
  };
  return { sample, memory: () => memoryOf(model) };
}

async function forward(loaded) {
  const model = await loaded();
  const run = async () => void (await model.embed(texts(SHAPE), SHAPE));
  return { run, memory: () => memoryOf(model) };
}

/** Its loss is no answer: the peers' encoder has other weights. */
async function trainEncoder(loaded) {
  const { sample, memory } = await train(loaded, { batch: examples(SHAPE), ...SHAPE, objective: "cross-entropy" });
  return { sample: async () => ({ ms: (await sample()).ms }), memory };
}

async function prefill(loaded) {
  const model = await loaded();
  let at = 0;
  const sample = async () => {
    const start = performance.now();
    await model.generate(prompt(at++), { maxNewTokens: 1 });
    return { ms: performance.now() - start };
  };
  return { sample, memory: () => memoryOf(model) };
}

/** The time and the calls of one token. The prompt is always the same, whose keys and values are kept, so only the first run reads it. */
async function decode(loaded) {
  const model = await loaded();
  const count = DECODE[model.device];
  const sample = async () => {
    let written = 0;
    let start;
    let tally;
    for await (const _ of model.generate(prompt(0), { maxNewTokens: count + 1 })) {
      if (written++ > 0) continue;
      start = performance.now();
      tally = new Tally();
    }
    const ms = (performance.now() - start) / count;
    if (written !== count + 1) throw new Error(`ia3-web wrote ${written} tokens instead of ${count + 1}`);
    return { ms, calls: tally.perRun(count) };
  };
  return { sample, memory: () => memoryOf(model) };
}

/** A step as the engine times it: forward, backward and the optimizer. */
async function train(loaded, { batch, ...options }) {
  const model = await loaded();
  await model.addAdapter(ADAPTER);
  const events = model.train(ADAPTER, batch, { ...options, steps: STEPS })[Symbol.asyncIterator]();
  let memory;
  const sample = async () => {
    for (;;) {
      const { value: event, done } = await events.next();
      if (done) throw new Error("ia3-web stopped training");
      if (event.type !== "step") continue;
      memory = memoryOf(model);
      return { ms: event.ms, answer: event.loss };
    }
  };
  return { sample, memory: () => memory };
}

/** WebAssembly gives no memory back, so its size is the most that was needed so far. */
function memoryOf(model) {
  const { wasmBytes, activationBytes } = model.memory();
  return { wasmBytes, activationBytes };
}
