// The chat model's run: train on the format-following task, measure, and chat with base and adapter side by side.

import { checkSmolLm2Report } from "./checks.mjs";
import { MINUTES, oneLine } from "./page.mjs";

const MESSAGE = "Put me down for a haircut on Saturday at 16:30.";

export const SMOLLM2 = {
  address: "chat.html",
  task: "appointments.json",
  names: { report: "run-smollm2.json", picture: "run-smollm2", adapter: "adapter-smollm2" },
  check: checkSmolLm2Report,

  async use(demo) {
    await demo.trainOnSample({ training: 60, measuring: 30 });
    await demo.get("chat-input").fill(MESSAGE);
    await demo.press("send", "#chat-card[data-done]", 3 * MINUTES);
    const answers = await demo.page.locator(".turn .answer").allInnerTexts();
    console.log([`"${MESSAGE}"`, ...answers.map(oneLine)].join("\n  "));
  },
};
