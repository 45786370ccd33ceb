/** The report of a run as JSON: for a person to save and for scripts to read out of the page. */

import { need } from "./dom.js";
import type { SavedAdapter } from "./state.js";

/** Times in milliseconds, sizes in bytes; what is not known is null. */
export type Report = Record<string, string | number | null>;

/** What a report says of how an adapter was trained; one that was loaded was not trained here. */
export function trainingFigures({ run }: SavedAdapter): Report {
  return {
    trainExamples: run?.trainExamples ?? null,
    steps: run?.steps ?? null,
    msPerStep: run?.msPerStep ?? null,
    lossFirst: run?.lossFirst ?? null,
    lossLast: run?.lossLast ?? null,
  };
}

/** Bytes of a saved adapter. */
export function sizeOf(files: Record<string, Uint8Array>): number {
  return Object.values(files).reduce((sum, file) => sum + file.length, 0);
}

/** Puts the report where scripts look for it: a data block that the browser does not run. */
export function publishReport(json: string): void {
  need("report", HTMLScriptElement).textContent = json;
}
