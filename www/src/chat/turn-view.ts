/** One turn of the chat on the page: the prompt, and under it the answers as they are written. */

import type { GeneratedText, GeneratedToken } from "ia3-web";
import { element } from "../dom.js";
import { count } from "../format.js";

/** Why an answer ended where it did not by itself. */
const ENDED: Partial<Record<GeneratedText["finishReason"], string>> = { length: "cut at the longest answer", aborted: "stopped" };

/** One column: the text, and how fast it came. */
class AnswerView {
  readonly element: HTMLElement;
  readonly #text = element("p", { class: "reply" });
  readonly #facts = element("p", { class: "hint" });
  #times: number[] = [];

  constructor(side: string | null) {
    this.#text.textContent = "…";
    this.element = element("article", { class: `answer ${side === null ? "base" : "adapter"}` }, element("h3", {}, side ?? "Base model"), this.#text, this.#facts);
  }

  write(text: string): void {
    if (this.#times.length === 0) this.#text.textContent = "";
    this.#times.push(performance.now());
    this.#text.append(text);
  }

  finish({ text, finishReason }: GeneratedText): void {
    this.#text.textContent = text.trim() || "(no words)";
    const tokens = this.#times.length;
    const ms = (this.#times.at(-1) ?? 0) - (this.#times[0] ?? 0);
    const facts = [count(tokens, "token"), ms > 0 ? `${((1000 * (tokens - 1)) / ms).toFixed(0)} a second` : "", ENDED[finishReason] ?? ""];
    this.#facts.textContent = facts.filter(Boolean).join(" · ");
  }
}

/** The turn, with a column for each side that answers: `null` is the base. */
export class TurnView {
  readonly element: HTMLLIElement;
  readonly #answers: AnswerView[];

  constructor(prompt: string, sides: (string | null)[]) {
    this.#answers = sides.map((side) => new AnswerView(side));
    const columns = element("div", { class: "answers" }, ...this.#answers.map((answer) => answer.element));
    this.element = element("li", { class: "turn" }, element("p", { class: "prompt" }, prompt), columns);
  }

  write({ row, text }: GeneratedToken): void {
    this.#answers[row]?.write(text);
  }

  finish(results: GeneratedText[]): void {
    results.forEach((result, row) => this.#answers[row]?.finish(result));
  }
}
