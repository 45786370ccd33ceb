// Whether a model fits, found out before any weight is fetched.

import { abortable } from "./abort.js";
import { checked } from "./check.js";
import { Host } from "./host.js";
import { ESTIMATE } from "./options.js";
import { modelSource } from "./source.js";
import { starter } from "./spawn.js";
import { threadCount } from "./threads.js";
import type { Estimate, EstimateOptions, ModelSource } from "./types.js";

const GIB = 1024 ** 3;

/** WebAssembly addresses at most 4 GiB. */
const MOST = 4 * GIB;

/** Where a browser tells nothing (Safari, Firefox): what a tab on a current phone gets. */
const UNKNOWN = GIB;

/** `Model.estimate`. */
export async function estimate(source: ModelSource, options?: EstimateOptions): Promise<Estimate> {
  const given = checked("estimate", options, ESTIMATE);
  const { batchSize = 8, maxLength = 64, labels = [], pooling = "mean", activationCheckpointing = false, device = "auto", dtype, activationDtype = "f32", signal } = given;
  const task = given.task ?? (labels.length > 0 ? "text-classification" : "feature-extraction");
  const shape = { batchSize, maxLength, activationCheckpointing, dtype, activationDtype, device };
  const args = { source: modelSource(source, given), ...shape, task, labels: [...labels], pooling };
  signal?.throwIfAborted();
  // The module that a load takes after this, so that a visit fetches one.
  const host = new Host(starter(given.worker, device === "webgpu" ? 1 : threadCount(undefined)), async () => {});
  try {
    const sizes = await abortable(host.ask("estimate", args, { signal }), signal);
    const limit = memoryLimit(globalThis);
    return { ...sizes, ...limit, fits: sizes.memoryBytes <= limit.limitBytes };
  } finally {
    host.dispose();
  }
}

/**
 * What a tab can be expected to get. Chromium tells the machine's memory (rounded, and capped at 8 GiB or more), of which half is
 * counted on; else its limit for JavaScript's heap; other browsers tell nothing.
 */
export function memoryLimit(scope: object): Pick<Estimate, "limitBytes" | "limitReason"> {
  const { navigator, performance } = scope as {
    navigator?: { deviceMemory?: number };
    performance?: { memory?: { jsHeapSizeLimit?: number } };
  };
  const device = navigator?.deviceMemory;
  if (device !== undefined) return { limitBytes: Math.min(MOST, (device * GIB) / 2), limitReason: "device-memory" };
  const heap = performance?.memory?.jsHeapSizeLimit;
  if (heap !== undefined) return { limitBytes: Math.min(MOST, heap), limitReason: "heap-limit" };
  return { limitBytes: UNKNOWN, limitReason: "default" };
}
