// Measures one task of one peer on one device. A page does this once, so that no library disturbs another.

import { countCalls } from "../../../www/src/bench/calls.ts";
import { Stopwatch } from "../../../www/src/bench/stopwatch.ts";

const LIBRARIES = {
  "ia3-web": () => import("./ia3-web.mjs"),
  tfjs: () => import("./tfjs.mjs"),
  "jax-js": () => import("./jax-js.mjs"),
  "onnxruntime-web": () => import("./onnxruntime-web.mjs"),
  wllama: () => import("./wllama.mjs"),
};

/**
 * @returns the stopwatch's figures, and as `answer` a number of the first result, which all peers must agree on
 */
export async function measure({ library, device, task, limits }) {
  countCalls();
  const { open } = await LIBRARIES[library]();
  const tasks = await open(device);
  const { run, sample, repeat } = await tasks[task]();
  const watch = new Stopwatch(limits, repeat);
  let answer;
  while (!watch.enough) {
    // A task of which only a part is wanted takes the time itself.
    if (sample) {
      watch.add(await sample());
      continue;
    }
    await watch.time(async () => {
      const found = await run();
      answer ??= found;
    });
  }
  return { ...watch.figures, ...(sample && { heldBytes: await heldBytes() }), answer };
}

/** What the page and its workers hold, WebAssembly's memory included, once what is no longer needed has been collected. */
async function heldBytes() {
  const { bytes } = await performance.measureUserAgentSpecificMemory();
  return bytes;
}
