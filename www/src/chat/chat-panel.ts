/** The chat: every prompt goes to the base and to the active adapter at once, and both answers are written side by side. */

import { type ChatMessage, type GenerateOptions, Ia3Error } from "ia3-web";
import { announce, need, onPress, setAvailable } from "../dom.js";
import type { Runner } from "../runner.js";
import { numberIn } from "../settings.js";
import type { Workbench } from "../workbench.js";
import { answered, asked, type ChatState } from "./pairs.js";
import { TurnView } from "./turn-view.js";

/** One prompt with what was answered: by the base, and by an adapter where there was one. */
interface Turn {
  asked: ChatMessage;
  answers: string[];
}

/** Options of generating by the control that sets them. */
const NUMBERS = {
  maxNewTokens: "max-new-tokens", temperature: "temperature", topP: "top-p", repetitionPenalty: "repetition-penalty", seed: "sampling-seed",
} as const satisfies Partial<Record<keyof GenerateOptions, string>>;

/** Starts the panel. */
export function startChatPanel(state: ChatState, runner: Runner, workbench: Workbench<unknown>): void {
  const input = need("chat-input", HTMLTextAreaElement);
  const send = need("send", HTMLButtonElement);
  const stop = need("stop-answer", HTMLButtonElement);
  const fresh = need("new-chat", HTMLButtonElement);
  const another = need("test-prompt", HTMLButtonElement);
  const remember = need("remember", HTMLInputElement);
  const list = need("turns", HTMLOListElement);
  const transcript = need("transcript", HTMLDivElement);
  let turns: Turn[] = [];

  /** The conversation as one side remembers it: its own answers, where it gave any. */
  const history = (side: number): ChatMessage[] =>
    remember.checked ? turns.flatMap((turn) => [turn.asked, answered(turn.answers[side] ?? turn.answers[0] ?? "")]) : [];

  let scrolled = 0; // where the page itself has put the transcript: a person who scrolls is left alone
  const bringUp = (turn: HTMLElement) => {
    if (Math.abs(transcript.scrollTop - scrolled) > 2) return;
    transcript.scrollTop = turn.offsetTop; // both answers are read from their beginning
    scrolled = transcript.scrollTop;
  };

  const work = async (signal: AbortSignal) => {
    const prompt = input.value.trim();
    if (prompt === "") throw new Error("There is nothing to answer yet. Type a message above the button.");
    const adapter = state.active();
    const model = adapter ? await workbench.use(adapter, signal) : await workbench.open(undefined, signal);
    const sides = adapter ? [null, adapter.name] : [null];
    const turn: Turn = { asked: asked(prompt), answers: [] };
    const prompts = sides.map((_, side) => [...history(side), turn.asked]);
    const view = new TurnView(prompt, sides);
    list.append(view.element);
    need("no-turns", HTMLParagraphElement).hidden = true;
    scrolled = transcript.scrollTop;
    bringUp(view.element);
    try {
      const generation = model.generate(prompts, { ...options(), adapter: sides });
      signal.addEventListener("abort", () => generation.stop()); // where the generation's own signal would end it with an error
      if (signal.aborted) generation.stop();
      for await (const token of generation) {
        view.write(token);
        bringUp(view.element);
      }
      const results = await generation;
      view.finish(results);
      turn.answers = results.map(({ text }) => text);
    } catch (error) {
      view.element.remove(); // the prompt is still in its field
      need("no-turns", HTMLParagraphElement).hidden = turns.length > 0;
      throw tooLong(error) && remember.checked && turns.length > 0 ? new Error(`${error.message}. Start a new chat, which forgets the earlier turns`, { cause: error }) : error;
    }
    turns = [...turns, turn];
    input.value = "";
    need("chat-card", HTMLElement).dataset.done = "";
    announce(sides.map((side, at) => `${side ?? "Base"}: ${turn.answers[at]}`).join(". "));
  };
  const answer = () => void runner.run("answering", "No answer", work).then(() => input.focus());

  onPress(send, answer);
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    answer();
  });
  stop.addEventListener("click", () => runner.stop());
  onPress(fresh, () => {
    turns = [];
    list.replaceChildren();
    need("no-turns", HTMLParagraphElement).hidden = false;
    delete need("chat-card", HTMLElement).dataset.done;
    input.focus();
  });
  onPress(another, () => {
    const pick = state.data.test[Math.floor(Math.random() * state.data.test.length)];
    if (pick) input.value = pick.prompt;
    answer();
  });

  state.subscribe(() => {
    const { busy, test } = state.data;
    for (const button of [send, fresh, another]) setAvailable(button, !busy);
    stop.disabled = busy !== "answering";
    another.hidden = test.length === 0;
    transcript.setAttribute("aria-busy", String(busy === "answering")); // a screen reader waits for the whole answer
    need("chat-tag", HTMLSpanElement).textContent = state.data.active ? `Base and ${state.data.active}` : "Base alone";
  });
  another.hidden = true;
}

/** Whether prompt and answer do not fit into the model's context together. */
function tooLong(error: unknown): error is Error {
  return error instanceof Ia3Error && error.code === "bad-option" && error.details.option === "maxNewTokens";
}

/** What was filled in; the library has defaults for the others. */
function options(): GenerateOptions {
  const numbers = Object.entries(NUMBERS).map(([name, id]) => [name, numberIn(id)]).filter(([, value]) => value !== undefined);
  return Object.fromEntries(numbers) as GenerateOptions;
}
