// A merged model as a stream that the engine is asked for piece by piece.

import type { Ask } from "./host.js";
import type { MergedStream, MergeOptions } from "./types.js";

/** The model with an adapter folded in. Nothing is made before it is read, so no whole copy is ever held. */
export async function mergedStream(ask: Ask, name: string, options: MergeOptions, token: number): Promise<MergedStream> {
  const { totalBytes, format } = await ask("beginMerge", { name, options, token });
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const piece = await ask("nextMerged", { token });
        if (piece) controller.enqueue(piece);
        else controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  return Object.assign(stream, { size: totalBytes, format });
}
