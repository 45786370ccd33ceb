/** Pairs out of files: tables with a column of prompts and one of answers, or JSON, one object a line or in a list. */

import { type Columns, parseExamples } from "../csv.js";
import type { Pair } from "./pairs.js";

const COLUMNS: Columns<Pair> = {
  required: ["prompt", "answer"],
  names: {
    prompt: "prompt", text: "prompt", input: "prompt", question: "prompt",
    answer: "answer", completion: "answer", output: "answer", response: "answer",
  },
};

/** What a file gave. */
export interface PairsRead {
  pairs: Pair[];
  /** One sentence for each entry that could not be taken, naming its number. */
  problems: string[];
}

/** Reads the text of a file by what its name ends in. */
export function readPairs(name: string, source: string): PairsRead {
  if (/\.json$/i.test(name)) return fromValues(list(name, source), "Entry");
  if (/\.(jsonl|ndjson)$/i.test(name)) return fromValues(source.split("\n").filter((line) => line.trim() !== "").map(parsed), "Line");
  const { examples, problems } = parseExamples(source, COLUMNS);
  return { pairs: examples, problems };
}

function list(name: string, source: string): unknown[] {
  const value = parsed(source);
  if (!Array.isArray(value)) throw new Error(`${name} is no JSON list of objects with "prompt" and "answer".`);
  return value;
}

/** The value of a JSON text, or undefined where it is none. */
function parsed(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch {
    return undefined;
  }
}

function fromValues(values: unknown[], noun: string): PairsRead {
  const read: PairsRead = { pairs: [], problems: [] };
  values.forEach((value, index) => {
    const pair = pairOf(value);
    if (pair) read.pairs.push(pair);
    else read.problems.push(`${noun} ${index + 1} is no object with the texts "prompt" and "answer", nor one with "messages" of one question and one answer.`);
  });
  return read;
}

/** A pair of an object: its fields under any of their names, or the two messages of a conversation. */
function pairOf(value: unknown): Pair | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { messages } = value as { messages?: unknown };
  const [prompt, answer, more] = Array.isArray(messages) ? messages.map(contentOf) : (["prompt", "answer"] as const).map((wanted) => fieldOf(value, wanted));
  return isText(prompt) && isText(answer) && more === undefined ? { prompt, answer } : undefined;
}

function contentOf(message: unknown): unknown {
  return (message as { content?: unknown } | null)?.content;
}

function fieldOf(value: object, wanted: keyof Pair): unknown {
  const name = Object.keys(value).find((key) => Object.hasOwn(COLUMNS.names, key) && COLUMNS.names[key] === wanted);
  return name === undefined ? undefined : (value as Record<string, unknown>)[name];
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.trim() !== "";
}
