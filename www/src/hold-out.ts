/** Setting examples aside for a test, the same share of every kind. */

/** One example in how many goes to the test set. */
const EVERY = 5;

/** Every fifth example of each kind goes to the test set: no chance in it, so the same examples give the same split. */
export function holdOut<Example>(examples: Example[], kindOf: (example: Example) => string): { train: Example[]; test: Example[] } {
  const seen = new Map<string, number>();
  const parts = { train: [] as Example[], test: [] as Example[] };
  for (const example of examples) {
    const number = (seen.get(kindOf(example)) ?? 0) + 1;
    seen.set(kindOf(example), number);
    (number % EVERY === 0 ? parts.test : parts.train).push(example);
  }
  return parts;
}
