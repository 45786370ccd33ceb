/** Texts to measure with: each fills its row of the batch, so that no time depends on padding. */

import type { Example } from "ia3-web";
import type { Shape } from "./row.js";

/** Labels of the examples, in turn. */
export const LABELS = ["even", "odd"];

const WORDS = ["the", "parcel", "came", "late", "and", "my", "invoice", "was", "wrong", "again", "please", "call"];

/** As many texts as a batch has, all different; a word is one token at least. */
export function texts({ batchSize, maxLength }: Shape): string[] {
  return Array.from({ length: batchSize }, (_, row) =>
    Array.from({ length: maxLength }, (_, at) => WORDS[(at * (row + 1) + row) % WORDS.length]).join(" "));
}

/** The same texts with labels. */
export function examples(shape: Shape): Example[] {
  return texts(shape).map((text, row) => ({ text, label: LABELS[row % LABELS.length] ?? "" }));
}
