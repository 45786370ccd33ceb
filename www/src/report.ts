/** The report of a run as JSON: for a person to save and for scripts to read out of the page. */

import { need } from "./dom.js";
import type { Adapter } from "./state.js";
import type { Workbench } from "./workbench.js";

/** What a report is made of. */
export interface Measured {
  model: NonNullable<Workbench["model"]>;
  modelName: string;
  adapter: Adapter;
  testExamples: number;
  /** Undefined where the base has no class means, as with an adapter loaded from a file. */
  baseAccuracy: number | undefined;
  adapterAccuracy: number;
  peakMemoryBytes: number;
}

/** Times in milliseconds, sizes in bytes; what is not known (a loaded adapter was not trained here) is null. */
export function report({ model, modelName, adapter, ...measured }: Measured): Record<string, string | number | null> {
  return {
    device: model.device,
    model: modelName,
    trainExamples: adapter.run?.trainExamples ?? null,
    testExamples: measured.testExamples,
    steps: adapter.run?.steps ?? null,
    msPerStep: adapter.run?.msPerStep ?? null,
    lossFirst: adapter.run?.lossFirst ?? null,
    lossLast: adapter.run?.lossLast ?? null,
    baseAccuracy: measured.baseAccuracy ?? null,
    adapterAccuracy: measured.adapterAccuracy,
    adapterBytes: Object.values(adapter.files).reduce((sum, file) => sum + file.length, 0),
    trainableParameters: adapter.trainableParameters ?? null,
    peakMemoryBytes: measured.peakMemoryBytes,
  };
}

/** Puts the report where scripts look for it: a data block that the browser does not run. */
export function publishReport(json: string): void {
  need("report", HTMLScriptElement).textContent = json;
}
