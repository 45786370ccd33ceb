/** Runs everything that was asked for, place after place. */

import { encoderRows } from "./encoder.js";
import type { Request } from "./job.js";
import { matmulRow } from "./matmul.js";
import { fetchModel } from "./model-files.js";
import type { OpTime } from "./op-groups.js";
import { opTimes } from "./ops.js";
import { kindsIn, type Row } from "./row.js";

/** Who wants to hear of results as they come. */
export interface Listener {
  say(text: string): void;
  row(row: Row): void;
  ops(ops: OpTime[]): void;
}

/** Results come through the listener; an abort of `signal` ends it between two runs. */
export async function measure({ places, model, baseUrl, ...request }: Request, listener: Listener, signal: AbortSignal): Promise<void> {
  const needsModel = request.kinds.some((kind) => kind !== "matmul");
  if (needsModel) listener.say("fetching the model");
  const files = needsModel ? await fetchModel(model, baseUrl, signal) : undefined;
  for (const place of places) {
    const kinds = kindsIn(place, request.kinds);
    const where = place.activationDtype === "f32" ? place.device : `${place.device}, activations in 16 bits`;
    const job = { ...request, ...place, kinds, signal, say: (text: string) => listener.say(`${text} on ${where}`) };
    if (kinds.includes("matmul")) listener.row(await matmulRow(job));
    if (files && kinds.some((kind) => kind.startsWith("encoder"))) {
      for await (const row of encoderRows(files, job)) listener.row(row);
    }
    if (files && kinds.includes("ops")) listener.ops(await opTimes(files, job));
  }
}
