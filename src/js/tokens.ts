// Text generated on the engine's side: token after token until the end, through aborts.

import { isTrap } from "./errors.js";
import { nextTask } from "./turn.js";
import type { GeneratedText, GeneratedToken } from "./types.js";

/** The calls that a generation is made of. */
export interface Generating {
  begin(): Promise<void>;
  /** The next token of each row that has not ended; none when all have. */
  next(): Promise<GeneratedToken[]>;
  /** Ends it; what there is. */
  end(): Promise<GeneratedText[]>;
  emit(token: GeneratedToken): void;
}

/** Generates to the end. */
export async function runGeneration(generating: Generating, signal: AbortSignal): Promise<GeneratedText[]> {
  await generating.begin();
  try {
    while (!signal.aborted) {
      const tokens = await generating.next();
      if (tokens.length === 0) break;
      for (const token of tokens) generating.emit(token);
      // Other calls come in between, and the news that this one was given up.
      await nextTask();
    }
  } catch (error) {
    // After a panic there is nothing left to end.
    if (!isTrap(error)) await generating.end();
    throw error;
  }
  return generating.end();
}
