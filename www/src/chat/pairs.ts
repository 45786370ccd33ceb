/** What the chat model learns: prompts with the answers they should get, under one instruction. */

import type { ChatExample, ChatMessage } from "ia3-web";
import { element, need } from "../dom.js";
import type { ExampleKind } from "../examples-panel.js";
import { count } from "../format.js";
import type { SavedAdapter, State } from "../state.js";

/** A prompt and its answer. */
export interface Pair {
  prompt: string;
  answer: string;
}

/** What the page knows. */
export type ChatState = State<Pair, SavedAdapter>;

/** The instruction that stands before every prompt, in training and in the chat; may be empty. */
export function instruction(): string {
  return need("instruction", HTMLTextAreaElement).value.trim();
}

/** A prompt as the turn of the user. */
export function asked(prompt: string): ChatMessage {
  const before = instruction();
  return { role: "user", content: before ? `${before}\n${prompt}` : prompt };
}

/** An answer as the turn of the assistant. */
export function answered(answer: string): ChatMessage {
  return { role: "assistant", content: answer };
}

/** A pair as the conversation that is trained on. */
export function conversation({ prompt, answer }: Pair): ChatExample {
  return { messages: [asked(prompt), answered(answer)] };
}

/** Pairs in the list of examples. */
export const PAIRS: ExampleKind<Pair> = {
  cells: ({ prompt, answer }) => [element("span", { class: "pair" }, element("span", {}, prompt), element("span", { class: "reply" }, answer))],
  text: ({ prompt }) => prompt,
  group: () => "",
  tag: (train) => count(train.length, "pair"),
  enough: (train) => train.length > 0,
  task: ({ instruction: given }) => {
    if (typeof given === "string") need("instruction", HTMLTextAreaElement).value = given;
  },
};
