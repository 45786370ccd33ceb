/** How often base and adapter give the right label, and which labels they mix up. */

import type { Model } from "ia3-web";
import { need } from "../dom.js";
import type { Measure } from "../evaluate-panel.js";
import type { Classifier, Example } from "./classes.js";
import { confusionTable } from "./confusion.js";

/** Test sentences a call: progress is shown, and stopping works, between two calls. */
const PART = 32;

/** Right answers and the confusion table (rows: true label, columns: answer). */
interface Score {
  accuracy: number;
  confusion: number[][];
}

/** Share of sentences that get the right label. */
export const ACCURACY: Measure<Example, Classifier, Score> = {
  noun: "test sentence",
  meaning: "Share of test sentences that get the right label.",
  withoutBase: "The base has no class means for these labels until you train on examples of them.",
  check: (examples, adapter) => {
    const unknown = examples.find((example) => !adapter.labels.includes(example.label));
    if (unknown) throw new Error(`The test set has the label "${unknown.label}", which the adapter "${adapter.name}" does not know (${adapter.labels.join(", ")}). Choose another adapter or other test examples.`);
  },
  score: async (model, examples, adapter, signal, progress) => {
    try {
      const confusion = await confusionOf(model, examples, adapter, signal, progress);
      return { confusion, accuracy: share(confusion) };
    } catch (error) {
      // An adapter that was loaded from a file brings no class means for the base.
      if (adapter === null && error instanceof Error && "code" in error && error.code === "no-head") return undefined;
      throw error;
    }
  },
  details: (score, adapter) => {
    const table = need("confusion", HTMLDetailsElement);
    table.hidden = !score;
    if (score && adapter) table.querySelector(".table-scroll")?.replaceChildren(confusionTable(score.confusion, adapter.labels));
  },
  report: async ({ adapter, base, adapted }) => ({
    baseAccuracy: base?.accuracy ?? null,
    adapterAccuracy: adapted.accuracy,
    trainableParameters: adapter.trainableParameters ?? null,
  }),
};

async function confusionOf(model: Model, examples: Example[], adapter: string | null, signal: AbortSignal, progress: (share: number) => void): Promise<number[][]> {
  let sum: number[][] | undefined;
  for (let at = 0; at < examples.length; at += PART) {
    signal.throwIfAborted();
    const { confusion } = await model.evaluate(examples.slice(at, at + PART), { adapter, signal });
    sum = sum ? sum.map((row, i) => row.map((value, j) => value + (confusion[i]?.[j] ?? 0))) : confusion;
    progress(Math.min(1, (at + PART) / examples.length));
  }
  return sum ?? [];
}

function share(confusion: number[][]): number {
  const total = confusion.flat().reduce((sum, value) => sum + value, 0);
  return confusion.reduce((sum, row, i) => sum + (row[i] ?? 0), 0) / total;
}
