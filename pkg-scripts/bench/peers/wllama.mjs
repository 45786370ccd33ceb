// wllama: llama.cpp in WebAssembly, with one thread.

import { LoggerWithoutDebug, Wllama } from "@wllama/wllama";
import { DECODE, FILE, PREFILL, prompt } from "./language.mjs";

const MODULE = { default: "/npm/@wllama/wllama/esm/wasm/wllama.wasm" };
/** As much context as is used, and one conversation at a time. */
const OPTIONS = { n_threads: 1, n_gpu_layers: 0, n_ctx: 512, n_parallel: 1 };

export async function open(device) {
  if (device !== "wasm") throw new Error(`wllama is measured on wasm alone, not on ${device}`);
  const file = await (await fetch(`/hub/${FILE}`)).blob();
  return {
    "generate-load": () => load(file),
    "generate-prefill": () => generation(file, ({ firstMs }) => firstMs),
    "generate-decode": () => generation(file, ({ restMs }) => restMs),
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
    return performance.now() - start;
  };
  return { sample };
}

/** `part` chooses which time of a generation is wanted. */
async function generation(file, part) {
  const wllama = await loaded(file);
  let at = 0;
  return { sample: async () => part(await generate(wllama, prompt(at++))) };
}

async function generate(wllama, text) {
  const options = { prompt: text, max_tokens: DECODE + 1, temperature: 0, ignore_eos: true, stream: true };
  const start = performance.now();
  let first;
  let timings;
  for await (const chunk of await wllama.createCompletion(options)) {
    first ??= performance.now();
    timings = chunk.timings ?? timings;
  }
  const end = performance.now();
  const { prompt_n: read, predicted_n: written } = timings;
  if (read !== PREFILL || written !== DECODE + 1) throw new Error(`wllama read ${read} tokens and wrote ${written}`);
  return { firstMs: first - start, restMs: end - first };
}
