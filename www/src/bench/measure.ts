/** Runs everything that was asked for, device after device. */

import { encoderRows } from "./encoder.js";
import type { Request } from "./job.js";
import { matmulRow } from "./matmul.js";
import { fetchModel } from "./model-files.js";
import type { OpTime } from "./op-groups.js";
import { opTimes } from "./ops.js";
import type { Row } from "./row.js";

/** Who wants to hear of results as they come. */
export interface Listener {
  say(text: string): void;
  row(row: Row): void;
  ops(ops: OpTime[]): void;
}

/** Results come through the listener; an abort of `signal` ends it between two runs. */
export async function measure({ devices, model, baseUrl, ...request }: Request, listener: Listener, signal: AbortSignal): Promise<void> {
  const { kinds } = request;
  const needsModel = kinds.some((kind) => kind !== "matmul");
  if (needsModel) listener.say("fetching the model");
  const files = needsModel ? await fetchModel(model, baseUrl, signal) : undefined;
  for (const device of devices) {
    const job = { ...request, device, signal, say: (text: string) => listener.say(`${text} on ${device}`) };
    if (kinds.includes("matmul")) listener.row(await matmulRow(job));
    if (files && kinds.some((kind) => kind.startsWith("encoder"))) {
      for await (const row of encoderRows(files, job)) listener.row(row);
    }
    if (files && kinds.includes("ops")) listener.ops(await opTimes(files, job));
  }
}
