/** The try panel: one sentence, the base model's answer and the active adapter's side by side. */

import { announce, element, need, onPress, setAvailable } from "../dom.js";
import { errorShown } from "../error-banner.js";
import { percent } from "../format.js";
import type { Runner } from "../runner.js";
import type { Workbench } from "../workbench.js";
import { type Classes, type Classifier, type ClassifierState, classesOf } from "./classes.js";

interface Answer {
  label: string;
  score: number;
  scores: Record<string, number>;
  truncated: boolean;
}

/** Starts the panel. */
export function startTryPanel(state: ClassifierState, runner: Runner, workbench: Workbench<Classes>): void {
  const input = need("input-text", HTMLTextAreaElement);
  const button = need("classify", HTMLButtonElement);
  const another = need("test-sentence", HTMLButtonElement);
  const truth = need("truth", HTMLParagraphElement);
  let asked: { text: string; adapter: Classifier | undefined } | undefined; // what the cards answer

  const work = async (signal: AbortSignal) => {
    const text = input.value.trim();
    if (text === "") throw new Error("There is no sentence yet. Type one above the button.");
    const adapter = state.active();
    asked = { text, adapter };
    const model = adapter ? await workbench.use(adapter, signal) : await workbench.open(classesOf(state.data.train), signal);
    const base = await answerOf(() => model.classify([text], { adapter: null }), "The base has nothing to compare with yet: train on examples of these labels first.");
    show("answer-base", base);
    const adapted = adapter ? await answerOf(() => model.classify([text], { adapter: adapter.name })) : "Train or load an adapter to compare.";
    show("answer-adapter", adapted);
    need("try-card", HTMLElement).dataset.done = "";
    announce(`Base: ${inWords(base)}. Adapter: ${inWords(adapted)}.`);
  };
  const classify = () => void runner.run("answering", "No answer", work);

  onPress(button, classify);
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    classify();
  });
  input.addEventListener("input", () => { truth.hidden = true; });
  onPress(another, () => {
    const pick = state.data.test[Math.floor(Math.random() * state.data.test.length)];
    if (!pick) return;
    input.value = pick.text;
    truth.textContent = `Label in the test set: ${pick.label}`;
    truth.hidden = false;
    classify();
  });

  state.subscribe(() => {
    setAvailable(button, !state.data.busy);
    setAvailable(another, !state.data.busy);
    another.hidden = state.data.test.length === 0;
    need("answer-name", HTMLElement).textContent = state.data.active ?? "none yet";
    // Another adapter, or one trained further, answers what is on the page at once: no card shows what it did not say.
    const stale = asked !== undefined && asked.adapter !== state.active() && asked.text === input.value.trim();
    if (stale && !state.data.busy && !errorShown()) classify();
  });
  another.hidden = true;
}

/** The answer, or the words for why there is none when the base has no head. */
async function answerOf(ask: () => Promise<Answer[]>, without?: string): Promise<Answer | string> {
  try {
    const [answer] = await ask();
    return answer ?? "No answer.";
  } catch (error) {
    if (without && error instanceof Error && "code" in error && error.code === "no-head") return without;
    throw error;
  }
}

function inWords(answer: Answer | string): string {
  return typeof answer === "string" ? answer : `${answer.label}, ${percent(answer.score, 0)}`;
}

function show(card: string, answer: Answer | string): void {
  const holder = need(card, HTMLElement);
  const title = holder.querySelector("h3") as HTMLElement;
  if (typeof answer === "string") {
    holder.replaceChildren(title, element("p", { class: "empty" }, answer));
    return;
  }
  const bars = Object.entries(answer.scores).map(([label, score]) => {
    const bar = element("i", { "aria-hidden": "true" });
    bar.style.setProperty("--score", String(score)); // through the CSSOM: the page's policy forbids style attributes
    return element("li", label === answer.label ? { "data-top": "" } : {}, element("span", {}, label), element("span", {}, percent(score, 0)), bar);
  });
  holder.replaceChildren(
    title,
    element("p", { class: "verdict" }, answer.label, element("span", {}, percent(answer.score))),
    element("ul", { class: "bars" }, ...bars),
    ...(answer.truncated ? [element("p", { class: "hint" }, "The text is longer than the model takes; its end was left out.")] : []),
  );
}
