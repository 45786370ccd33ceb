// Examples of every task as the caller writes them, without the fields that a data set may have beside theirs.

import { bad, isRecord, printable } from "./check.js";
import { given, question, stringList, template, textInput, wrongField } from "./inputs.js";
import { conversation } from "./messages.js";
import type {
  AnsweredExample,
  AnyExample,
  ChatExample,
  CompletedExample,
  Example,
  PlainExample,
  PromptedExample,
  RankedExample,
  RewrittenExample,
  TaggedExample,
  Task,
} from "./types.js";

const SHAPES: Record<Task, string> = {
  "text-classification": "{text, label}",
  "feature-extraction": "{text, label}",
  "token-classification": "{words, labels}",
  "question-answering": "{question, context, answer}",
  "text-generation": "{prompt, completion}, {text}, {messages}, {input, choices, answer} or {text, label, templates}",
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

function completed(where: string, example: unknown, index: number): CompletedExample | PlainExample | ChatExample | RankedExample | PromptedExample {
  if (!isRecord(example)) throw bad(where, `input ${index} must be ${SHAPES["text-generation"]}, and is ${printable(example)}`, { index });
  const choosing = chosen(where, "text-generation", example, index);
  if (choosing) return choosing;
  const { prompt, completion, text, messages } = example;
  if (messages !== undefined) return { messages: chat(where, messages, index) };
  if (typeof text === "string" && prompt === undefined && completion === undefined) return { text };
  if (typeof prompt !== "string") throw wrongField(where, index, "prompt", prompt);
  if (typeof completion !== "string") throw wrongField(where, index, "completion", completion);
  return { prompt, completion };
}

/** A conversation in which there is something to learn. */
function chat(where: string, messages: unknown, index: number): ChatExample["messages"] {
  const found = conversation(where, `messages of input ${index}`, messages, { index, field: "messages" });
  if (found.some(({ role }) => role === "assistant")) return found;
  throw bad(where, `messages of input ${index} have no turn with role "assistant", so there is nothing to learn`, { index, field: "messages" });
}

function rewritten(where: string, example: unknown, index: number): RewrittenExample | RankedExample | PromptedExample {
  if (!isRecord(example)) throw bad(where, `input ${index} must be ${SHAPES["text2text-generation"]}, and is ${printable(example)}`, { index });
  const choosing = chosen(where, "text2text-generation", example, index);
  if (choosing) return choosing;
  const { input, output } = example;
  if (typeof input !== "string") throw wrongField(where, index, "input", input);
  if (typeof output !== "string") throw wrongField(where, index, "output", output);
  return { input, output };
}

/** An example whose choices are ranked, if it is one. */
function chosen(where: string, task: Task, example: Record<string, unknown>, index: number): RankedExample | PromptedExample | undefined {
  const { templates, choices, answer } = example;
  if (templates !== undefined) {
    if (!Array.isArray(templates)) throw bad(where, `templates of input ${index} must be a list, and is ${printable(templates)}`, { index, field: "templates" });
    return { ...labelled(where, example, index), templates: templates.map((found: unknown) => template(where, index, found)) };
  }
  if (choices === undefined) return undefined;
  if (typeof answer !== "string") throw wrongField(where, index, "answer", answer);
  return { ...given(where, task, example, index), answer };
}
