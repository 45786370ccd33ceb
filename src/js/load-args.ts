// What the engine is told of a model to load: the options of `fromPretrained` with their defaults.

import { bad } from "./check.js";
import { CHATS, type LoadArgs } from "./protocol.js";
import { modelSource } from "./source.js";
import { threadCount } from "./threads.js";
import type { LoadOptions, ModelSource } from "./types.js";

const WARM_UP = { batchSize: 8, maxLength: 64 };

/** @throws `bad-option` where the source is none, or options contradict one another */
export function loadArgs(source: ModelSource, given: LoadOptions): LoadArgs {
  const { labels = [], pooling = "mean", device = "auto", dtype, activationDtype = "f32", cache = true, sha256 = {}, seed = 0, warmUp = {}, chatTemplate = null } = given;
  const resolved = modelSource(source, given);
  const task = given.task ?? (labels.length > 0 ? "text-classification" : "feature-extraction");
  if (chatTemplate !== null && task !== CHATS) throw bad("fromPretrained", `option chatTemplate is for the task ${CHATS}, and this is ${task}`, { option: "chatTemplate" });
  return {
    source: { ...resolved, modelId: given.modelId ?? resolved.modelId },
    task,
    labels: [...labels],
    pooling,
    device,
    // The calling thread may not wait for others.
    threads: given.worker === false || device === "webgpu" ? 1 : threadCount(given.threads),
    dtype,
    activationDtype,
    cache,
    sha256,
    chatTemplate,
    seed,
    warmUp: warmUp === false ? null : { ...WARM_UP, ...warmUp },
  };
}
