// Text being generated, as the caller sees it.

import { Run } from "./run.js";
import type { GeneratedText, GeneratedToken } from "./types.js";

/**
 * Text being generated: tokens to iterate over, and a promise of the whole, one `GeneratedText` for one prompt and a list of them for a list.
 * Leaving a loop early ends it, as `stop()` does: it then resolves with `finishReason` `aborted`.
 */
export class Generation<Result extends GeneratedText | GeneratedText[] = GeneratedText> extends Run<GeneratedToken, Result> {
  protected aborted(result: Result): boolean {
    const rows: readonly GeneratedText[] = Array.isArray(result) ? result : [result];
    return rows.some(({ finishReason }) => finishReason === "aborted");
  }

  protected override left(): void {
    this.stop();
  }
}
