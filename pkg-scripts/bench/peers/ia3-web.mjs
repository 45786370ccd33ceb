// ia3-web on the same generation as the peers: the package as a page loads it, in its worker, the file in its cache after the first load.

import { DECODE, FILE, prompt } from "./language.mjs";

export async function open(device) {
  const { Model } = await import("/pkg/index.js");
  const loaded = () => Model.fromPretrained(`${location.origin}/hub/${FILE}`, { task: "text-generation", device });
  return {
    "generate-load": () => load(loaded),
    "generate-prefill": () => generation(loaded, ({ firstMs }) => firstMs),
    "generate-decode": () => generation(loaded, ({ restMs }) => restMs),
  };
}

function load(loaded) {
  let before;
  const sample = async () => {
    before?.dispose();
    const start = performance.now();
    before = await loaded();
    return performance.now() - start;
  };
  return { sample };
}

/** `part` chooses which time of a generation is wanted. */
async function generation(loaded, part) {
  const model = await loaded();
  let at = 0;
  return { sample: async () => part(await generate(model, prompt(at++))) };
}

async function generate(model, text) {
  const start = performance.now();
  let first;
  let written = 0;
  for await (const _ of model.generate(text, { maxNewTokens: DECODE + 1, temperature: 0 })) {
    first ??= performance.now();
    written++;
  }
  const end = performance.now();
  if (written !== DECODE + 1) throw new Error(`ia3-web wrote ${written} tokens instead of ${DECODE + 1}`);
  return { firstMs: first - start, restMs: end - first };
}
