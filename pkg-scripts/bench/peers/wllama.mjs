// wllama: llama.cpp in WebAssembly, with one thread. It rounds what it multiplies weights with to 8 bits, and has SIMD code for Q8_0 but not
// for Q4_1, so both are measured. It cannot train.

import { LoggerWithoutDebug, Wllama } from "@wllama/wllama";
import { DECODE, fileOf, PREFILL, prompt } from "./language.mjs";
import { wasmBytes, watchWorkers } from "./worker-memory.mjs";

const MODULE = { default: "/npm/@wllama/wllama/esm/wasm/wllama.wasm" };
/** As much context as is used, and one conversation at a time. */
const OPTIONS = { n_threads: 1, n_gpu_layers: 0, n_ctx: 512, n_parallel: 1 };

export async function open(device, format) {
  if (device !== "wasm") throw new Error(`wllama is measured on wasm alone, not on ${device}`);
  watchWorkers();
  const file = await (await fetch(fileOf(format))).blob();
  return {
    "generate-load": () => load(file),
    "generate-prefill": () => generation(file, 1, ({ firstMs }) => firstMs),
    "generate-decode": () => generation(file, DECODE.wasm + 1, ({ restMs }) => restMs / DECODE.wasm),
  };
}

async function loaded(file) {
  const wllama = new Wllama(MODULE, { suppressNativeLog: true, logger: LoggerWithoutDebug });
  await wllama.loadModel([file], OPTIONS);
  return wllama;
}

function load(file) {
  let before;
  const sample = async () => {
    await before?.exit();
    const start = performance.now();
    before = await loaded(file);
    return { ms: performance.now() - start };
  };
  return { sample, memory };
}

/** Generates `count` tokens a run; `part` chooses which time of it is wanted. */
async function generation(file, count, part) {
  const wllama = await loaded(file);
  let at = 0;
  return { sample: async () => ({ ms: part(await generate(wllama, prompt(at++), count)) }), memory };
}

async function memory() {
  return { wasmBytes: await wasmBytes() };
}

async function generate(wllama, text, count) {
  const options = { prompt: text, max_tokens: count, temperature: 0, ignore_eos: true, stream: true };
  const start = performance.now();
  let first;
  let timings;
  for await (const chunk of await wllama.createCompletion(options)) {
    first ??= performance.now();
    timings = chunk.timings ?? timings;
  }
  const end = performance.now();
  const { prompt_n: read, predicted_n: written } = timings;
  if (read !== PREFILL || written !== count) throw new Error(`wllama read ${read} tokens and wrote ${written}`);
  return { firstMs: first - start, restMs: end - first };
}
