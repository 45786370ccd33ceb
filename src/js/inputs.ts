// Texts, words, questions and continuations as the caller writes them, brought into the one form that the engine takes.

import { bad, isRecord, printable } from "./check.js";
import { Ia3Error } from "./errors.js";
import { prompt } from "./messages.js";
import type { Continuation, Inputs, Prompt, PromptTemplate, Question, Ranking, Task, TextInput } from "./types.js";

/** Texts and pairs as a list of objects with nothing else in them. */
export function textInputs(where: string, inputs: Inputs): TextInput[] {
  const items = Array.isArray(inputs) ? (inputs as readonly unknown[]) : [inputs];
  return items.map((item, index) => textInput(where, typeof item === "string" ? { text: item } : item, index));
}

/** Texts as lists of words. */
export function wordLists(where: string, texts: readonly (readonly string[])[]): string[][] {
  if (!Array.isArray(texts)) throw bad(where, "texts must be a list of lists of words", {});
  return texts.map((words: unknown, index) => stringList(where, index, "words", words));
}

/** Questions, without the fields that a data set may have beside these. */
export function questionList(where: string, questions: Question | readonly Question[]): Question[] {
  const items = Array.isArray(questions) ? (questions as readonly unknown[]) : [questions];
  return items.map((item, index) => question(where, item, index));
}

/** Inputs with choices, and texts in templates. */
export function rankingList(where: string, task: Task, rows: Ranking | readonly Ranking[]): Ranking[] {
  const items = Array.isArray(rows) ? (rows as readonly unknown[]) : [rows];
  return items.map((item, index) => {
    if (!isRecord(item)) throw bad(where, `input ${index} must be {input, choices} or {text, template}, and is ${printable(item)}`, { index });
    if (item["template"] === undefined) return given(where, task, item, index);
    return { ...textInput(where, item, index), template: template(where, index, item["template"]) };
  });
}

/** Prompts as a list. A list of messages is one prompt; a list of anything else is one of prompts. */
export function promptList(where: string, task: Task, prompts: Prompt | readonly Prompt[]): { inputs: Prompt[]; single: boolean } {
  const single = !Array.isArray(prompts) || (prompts.length > 0 && (prompts as readonly unknown[]).every(isRecord));
  const items = single ? [prompts] : (prompts as readonly unknown[]);
  return { inputs: items.map((item, index) => prompt(where, task, index, "prompt", item)), single };
}

/** An input with its choices. */
export function given(where: string, task: Task, item: Record<string, unknown>, index: number): { input: Prompt; choices: string[] } {
  return { input: prompt(where, task, index, "input", item["input"]), choices: stringList(where, index, "choices", item["choices"]) };
}

/** One template. */
export function template(where: string, index: number, found: unknown): PromptTemplate {
  if (isRecord(found) && typeof found["prompt"] === "string" && isRecord(found["choices"])) {
    const choices = found["choices"];
    if (Object.values(choices).every((choice) => typeof choice === "string")) return { prompt: found["prompt"], choices: { ...(choices as Record<string, string>) } };
  }
  throw bad(where, `a template of input ${index} must be {prompt, choices}, the choices strings by label`, { index, field: "template" });
}

/** Texts and what might follow them. */
export function continuationList(where: string, task: Task, rows: Continuation | readonly Continuation[]): Continuation[] {
  const items = Array.isArray(rows) ? (rows as readonly unknown[]) : [rows];
  return items.map((item, index) => {
    if (!isRecord(item)) throw bad(where, `input ${index} must be {prompt, continuation}, and is ${printable(item)}`, { index });
    const { continuation } = item;
    if (typeof continuation !== "string") throw wrongField(where, index, "continuation", continuation);
    return { prompt: prompt(where, task, index, "prompt", item["prompt"]), continuation };
  });
}

/** One question. */
export function question(where: string, item: unknown, index: number): Question {
  if (!isRecord(item)) throw bad(where, `input ${index} must be {question, context}, and is ${printable(item)}`, { index });
  const { question, context } = item;
  if (typeof question !== "string") throw wrongField(where, index, "question", question);
  if (typeof context !== "string") throw wrongField(where, index, "context", context);
  return { question, context };
}

/** A field that is a list of strings. */
export function stringList(where: string, index: number, field: string, value: unknown): string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return [...(value as string[])];
  throw bad(where, `${field} of input ${index} must be a list of strings, and is ${printable(value)}`, { index, field });
}

/** One text or pair. */
export function textInput(where: string, item: unknown, index: number): TextInput {
  if (!isRecord(item)) throw bad(where, `input ${index} must be a string or {text, textPair}, and is ${printable(item)}`, { index });
  const { text, textPair } = item;
  if (typeof text !== "string") throw wrongField(where, index, "text", text);
  if (textPair !== undefined && typeof textPair !== "string") throw wrongField(where, index, "textPair", textPair);
  if (text.trim() === "") throw new Ia3Error("empty-text", `${where}: the text of input ${index} is empty: leave the row out`, { index });
  return textPair === undefined ? { text } : { text, textPair };
}

/** The error for a field that is no string. */
export function wrongField(where: string, index: number, field: string, value: unknown): Ia3Error {
  return bad(where, `${field} of input ${index} must be a string, and is ${printable(value)}`, { index, field });
}
