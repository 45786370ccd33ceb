// Measures one task of one peer on one device. A page does this once, so that no library disturbs another.

import { countCalls } from "../../../www/src/bench/calls.ts";
import { Stopwatch } from "../../../www/src/bench/stopwatch.ts";

const LIBRARIES = {
  "ia3-web": () => import("./ia3-web.mjs"),
  "ia3-web-threads": async () => ({ open: (await import("./ia3-web.mjs")).openShared }),
  tfjs: () => import("./tfjs.mjs"),
  "jax-js": () => import("./jax-js.mjs"),
  "onnxruntime-web": () => import("./onnxruntime-web.mjs"),
  wllama: () => import("./wllama.mjs"),
};

/**
 * @returns the stopwatch's figures, bytes in use after the last run, and as `answer` a number of the first result, which all must agree on
 */
export async function measure({ library, device, task, format, limits }) {
  countCalls();
  const { open } = await LIBRARIES[library]();
  const tasks = await open(device, format);
  const { run, sample, repeat, memory } = await tasks[task]();
  const watch = new Stopwatch(limits, repeat);
  let answer;
  let calls;
  while (!watch.enough) {
    // A task of which only a part is wanted takes the time itself, and counts the part's calls where there are others.
    if (sample) {
      const found = await sample();
      watch.add(found.ms);
      answer ??= found.answer;
      calls = found.calls;
      continue;
    }
    await watch.time(async () => {
      const found = await run();
      answer ??= found;
    });
  }
  return { ...watch.figures, ...calls, ...(await memory?.()), answer };
}
