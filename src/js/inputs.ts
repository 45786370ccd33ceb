// Texts, examples and adapter choices as the caller writes them, brought into the one form that the engine takes.

import { bad, isRecord, printable } from "./check.js";
import { Ia3Error } from "./errors.js";
import type { AdapterSelection } from "./ia3_web.js";
import type { ActiveAdapter, AdapterChoice, AnsweredExample, AnyExample, CompletedExample, Continuation, Example, Inputs, PlainExample, PromptedExample, PromptTemplate, Question, RankedExample, Ranking, RewrittenExample, TaggedExample, Task, TextInput } from "./types.js";

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

const SHAPES: Record<Task, string> = {
  "text-classification": "{text, label}",
  "feature-extraction": "{text, label}",
  "token-classification": "{words, labels}",
  "question-answering": "{question, context, answer}",
  "text-generation": "{prompt, completion}, {text}, {input, choices, answer} or {text, label, templates}",
  "text2text-generation": "{input, output}, {input, choices, answer} or {text, label, templates}",
};

const READERS: Record<Task, (where: string, example: unknown, index: number) => AnyExample> = {
  "text-classification": labelled,
  "feature-extraction": labelled,
  "token-classification": tagged,
  "question-answering": answered,
  "text-generation": completed,
  "text2text-generation": rewritten,
};

/** Examples of a task, without the fields that a data set may have beside these. */
export function exampleList(where: string, task: Task, examples: readonly AnyExample[]): AnyExample[] {
  if (!Array.isArray(examples)) throw bad(where, `examples must be a list of ${SHAPES[task]}`, {});
  return examples.map((example: unknown, index) => READERS[task](where, example, index));
}

function labelled(where: string, example: unknown, index: number): Example {
  const input = textInput(where, example, index);
  const { label } = example as { label?: unknown };
  if (typeof label !== "string") throw wrongField(where, index, "label", label);
  return { ...input, label };
}

function tagged(where: string, example: unknown, index: number): TaggedExample {
  if (!isRecord(example)) throw bad(where, `input ${index} must be {words, labels}, and is ${printable(example)}`, { index });
  return { words: stringList(where, index, "words", example["words"]), labels: stringList(where, index, "labels", example["labels"]) };
}

function answered(where: string, example: unknown, index: number): AnsweredExample {
  const asked = question(where, example, index);
  const { answer, answerStart } = example as { answer?: unknown; answerStart?: unknown };
  if (typeof answer !== "string") throw wrongField(where, index, "answer", answer);
  if (answerStart === undefined) return { ...asked, answer };
  if (!Number.isSafeInteger(answerStart) || (answerStart as number) < 0) {
    throw bad(where, `answerStart of input ${index} must be a whole number, 0 or more, and is ${printable(answerStart)}`, { index, field: "answerStart" });
  }
  return { ...asked, answer, answerStart: answerStart as number };
}

function completed(where: string, example: unknown, index: number): CompletedExample | PlainExample | RankedExample | PromptedExample {
  if (!isRecord(example)) throw bad(where, `input ${index} must be ${SHAPES["text-generation"]}, and is ${printable(example)}`, { index });
  const choosing = chosen(where, example, index);
  if (choosing) return choosing;
  const { prompt, completion, text } = example;
  if (typeof text === "string" && prompt === undefined && completion === undefined) return { text };
  if (typeof prompt !== "string") throw wrongField(where, index, "prompt", prompt);
  if (typeof completion !== "string") throw wrongField(where, index, "completion", completion);
  return { prompt, completion };
}

function rewritten(where: string, example: unknown, index: number): RewrittenExample | RankedExample | PromptedExample {
  if (!isRecord(example)) throw bad(where, `input ${index} must be ${SHAPES["text2text-generation"]}, and is ${printable(example)}`, { index });
  const choosing = chosen(where, example, index);
  if (choosing) return choosing;
  const { input, output } = example;
  if (typeof input !== "string") throw wrongField(where, index, "input", input);
  if (typeof output !== "string") throw wrongField(where, index, "output", output);
  return { input, output };
}

/** An example whose choices are ranked, if it is one. */
function chosen(where: string, example: Record<string, unknown>, index: number): RankedExample | PromptedExample | undefined {
  const { templates, choices, answer } = example;
  if (templates !== undefined) {
    if (!Array.isArray(templates)) throw bad(where, `templates of input ${index} must be a list, and is ${printable(templates)}`, { index, field: "templates" });
    return { ...labelled(where, example, index), templates: templates.map((found: unknown) => template(where, index, found)) };
  }
  if (choices === undefined) return undefined;
  if (typeof answer !== "string") throw wrongField(where, index, "answer", answer);
  return { ...given(where, example, index), answer };
}

/** Inputs with choices, and texts in templates. */
export function rankingList(where: string, rows: Ranking | readonly Ranking[]): Ranking[] {
  const items = Array.isArray(rows) ? (rows as readonly unknown[]) : [rows];
  return items.map((item, index) => {
    if (!isRecord(item)) throw bad(where, `input ${index} must be {input, choices} or {text, template}, and is ${printable(item)}`, { index });
    if (item["template"] === undefined) return given(where, item, index);
    return { ...textInput(where, item, index), template: template(where, index, item["template"]) };
  });
}

function given(where: string, item: Record<string, unknown>, index: number): { input: string; choices: string[] } {
  const { input } = item;
  if (typeof input !== "string") throw wrongField(where, index, "input", input);
  return { input, choices: stringList(where, index, "choices", item["choices"]) };
}

function template(where: string, index: number, found: unknown): PromptTemplate {
  if (isRecord(found) && typeof found["prompt"] === "string" && isRecord(found["choices"])) {
    const choices = found["choices"];
    if (Object.values(choices).every((choice) => typeof choice === "string")) return { prompt: found["prompt"], choices: { ...(choices as Record<string, string>) } };
  }
  throw bad(where, `a template of input ${index} must be {prompt, choices}, the choices strings by label`, { index, field: "template" });
}

/** Texts and what might follow them. */
export function continuationList(where: string, rows: Continuation | readonly Continuation[]): Continuation[] {
  const items = Array.isArray(rows) ? (rows as readonly unknown[]) : [rows];
  return items.map((item, index) => {
    if (!isRecord(item)) throw bad(where, `input ${index} must be {prompt, continuation}, and is ${printable(item)}`, { index });
    const { prompt, continuation } = item;
    if (typeof prompt !== "string") throw wrongField(where, index, "prompt", prompt);
    if (typeof continuation !== "string") throw wrongField(where, index, "continuation", continuation);
    return { prompt, continuation };
  });
}

function question(where: string, item: unknown, index: number): Question {
  if (!isRecord(item)) throw bad(where, `input ${index} must be {question, context}, and is ${printable(item)}`, { index });
  const { question, context } = item;
  if (typeof question !== "string") throw wrongField(where, index, "question", question);
  if (typeof context !== "string") throw wrongField(where, index, "context", context);
  return { question, context };
}

function stringList(where: string, index: number, field: string, value: unknown): string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return [...(value as string[])];
  throw bad(where, `${field} of input ${index} must be a list of strings, and is ${printable(value)}`, { index, field });
}

/** Names of adapters as a list; `null` is the base model, an empty one. */
export function activeNames(choice: ActiveAdapter): string[] {
  if (choice === null) return [];
  if (typeof choice === "string") return [choice];
  if (Array.isArray(choice) && choice.every((name) => typeof name === "string")) return [...(choice as readonly string[])];
  throw bad("setAdapter", "pass a name, null for the base model, or a list of names whose vectors multiply", {});
}

/** What the `adapter` option of a call selects; left out, the active adapters. */
export function selection(where: string, choice: AdapterChoice | undefined, active: readonly string[], rows: number): AdapterSelection {
  if (choice === undefined) return { active: [...active] };
  if (choice === null || typeof choice === "string") return { active: activeNames(choice) };
  if (!Array.isArray(choice) || !choice.every((name) => name === null || typeof name === "string")) {
    throw bad(where, "option adapter must be a name, null, or one name or null for each row", { option: "adapter" });
  }
  if (choice.length !== rows) {
    const text = `option adapter has ${choice.length} entries for ${rows} rows: pass one for each (several at once are set by setAdapter)`;
    throw bad(where, text, { option: "adapter", expected: rows, actual: choice.length });
  }
  return { rows: [...(choice as readonly (string | null)[])] };
}

function textInput(where: string, item: unknown, index: number): TextInput {
  if (!isRecord(item)) throw bad(where, `input ${index} must be a string or {text, textPair}, and is ${printable(item)}`, { index });
  const { text, textPair } = item;
  if (typeof text !== "string") throw wrongField(where, index, "text", text);
  if (textPair !== undefined && typeof textPair !== "string") throw wrongField(where, index, "textPair", textPair);
  if (text.trim() === "") throw new Ia3Error("empty-text", `${where}: the text of input ${index} is empty: leave the row out`, { index });
  return textPair === undefined ? { text } : { text, textPair };
}

function wrongField(where: string, index: number, field: string, value: unknown): Ia3Error {
  return bad(where, `${field} of input ${index} must be a string, and is ${printable(value)}`, { index, field });
}
