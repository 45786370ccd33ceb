/** Times a training step op by op. */

import { startGlue } from "./glue.js";
import { breathe, type Job } from "./job.js";
import type { ModelFiles } from "./model-files.js";
import type { OpTime } from "./op-groups.js";
import { LABELS } from "./texts.js";

/** Times that each op is run in a row, at most. */
const TIMES = 3;

/** Measures every op by itself. Only the session inside the package offers that, so it is opened the way its engine does. */
export async function opTimes(files: ModelFiles, { device, shape, limits, signal, say }: Job): Promise<OpTime[]> {
  say("the training step op by op");
  const { Session } = await startGlue();
  const bytes = async (file: Blob) => new Uint8Array(await file.arrayBuffer());
  const options = { modelId: null, revision: null, task: "text-classification", labels: LABELS, pooling: "mean" } as const;
  const session = new Session(await bytes(files["config.json"]), await bytes(files["tokenizer.json"]), options);
  try {
    await session.openDevice(device);
    session.beginWeights();
    session.beginFile("model.safetensors", files["model.safetensors"].size, undefined);
    session.feedWeights(await bytes(files["model.safetensors"]));
    await session.finishWeights();
    await breathe(signal);
    await session.profile(shape.batchSize, shape.maxLength, 1); // a pipeline's first use compiles it
    await breathe(signal);
    const found = await session.profile(shape.batchSize, shape.maxLength, Math.min(TIMES, limits.runs));
    return found.map((time) => ({ device, ...time }));
  } finally {
    session.dispose();
    session.free();
  }
}
