// The encoder's run: train on the sample task, measure, try one sentence.

import { checkMiniLmReport } from "./checks.mjs";
import { MINUTES, oneLine } from "./page.mjs";

const SENTENCE = "I sent the lamp back a month ago and the money still has not reached my card.";

export const MINILM = {
  address: "",
  task: "sample.json",
  names: { report: "run.json", picture: "run", adapter: "adapter" },
  check: checkMiniLmReport,

  async use(demo, { labels }) {
    await demo.trainOnSample({ training: 30, measuring: 15 });
    await demo.get("input-text").fill(SENTENCE);
    await demo.press("classify", `[data-testid="answer-adapter"] >> text=/${labels.join("|")}/`, MINUTES);
    const [base, adapter] = await Promise.all([demo.text("answer-base"), demo.text("answer-adapter")]);
    console.log(`"${SENTENCE}"\n  ${oneLine(base)}\n  ${oneLine(adapter)}`);
  },
};
