/** Setting examples aside for a test, the same share of every label. */

import type { Example } from "./state.js";

/** One example in how many goes to the test set. */
const EVERY = 5;

/** Every fifth example of each label goes to the test set: no chance in it, so the same examples give the same split. */
export function holdOut(examples: Example[]): { train: Example[]; test: Example[] } {
  const seen = new Map<string, number>();
  const parts = { train: [] as Example[], test: [] as Example[] };
  for (const example of examples) {
    const number = (seen.get(example.label) ?? 0) + 1;
    seen.set(example.label, number);
    (number % EVERY === 0 ? parts.test : parts.train).push(example);
  }
  return parts;
}
