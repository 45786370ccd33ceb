/** How often base and adapter write exactly the answer of a test pair, and how fast they read and write. */

import type { Measure } from "../evaluate-panel.js";
import type { SavedAdapter } from "../state.js";
import { asked, conversation, type Pair } from "./pairs.js";
import { speedOf } from "./speed.js";

/** Test pairs a call: progress is shown, and stopping works, between two calls. */
const PART = 8;
/** Test prompts that the speed is measured with. */
const FOR_SPEED = 3;

/** Share of test prompts whose answer greedy decoding would write to the letter, and end. */
export const EXACT_MATCH: Measure<Pair, SavedAdapter, { accuracy: number }> = {
  noun: "test prompt",
  meaning: "Share of test prompts that get exactly the answer of the pair, to the letter.",
  check: () => {},
  score: async (model, examples, adapter, signal, progress) => {
    let right = 0;
    for (let at = 0; at < examples.length; at += PART) {
      signal.throwIfAborted();
      const part = examples.slice(at, at + PART).map(conversation);
      const { accuracy } = await model.evaluate(part, { adapter, signal });
      right += Math.round(accuracy * part.length);
      progress(Math.min(1, (at + PART) / examples.length));
    }
    return { accuracy: right / examples.length };
  },
  report: async ({ model, adapter, examples, base, adapted }, signal) => ({
    baseExactMatch: base?.accuracy ?? null,
    adapterExactMatch: adapted.accuracy,
    ...(await speedOf(model, examples.slice(0, FOR_SPEED).map(({ prompt }) => [asked(prompt)]), adapter.name, signal)),
  }),
};
