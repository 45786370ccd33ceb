// Texts, examples and adapter choices as the caller writes them, brought into the one form that the engine takes.

import { bad, isRecord, printable } from "./check.js";
import { Ia3Error } from "./errors.js";
import type { AdapterSelection } from "./ia3_web.js";
import type { ActiveAdapter, AdapterChoice, Example, Inputs, TextInput } from "./types.js";

/** Texts and pairs as a list of objects with nothing else in them. */
export function textInputs(where: string, inputs: Inputs): TextInput[] {
  const items = Array.isArray(inputs) ? (inputs as readonly unknown[]) : [inputs];
  return items.map((item, index) => textInput(where, typeof item === "string" ? { text: item } : item, index));
}

/** Labelled examples, without the fields that a data set may have beside these. */
export function exampleList(where: string, examples: readonly Example[]): Example[] {
  if (!Array.isArray(examples)) throw bad(where, "examples must be a list of {text, label}", {});
  return examples.map((example: unknown, index) => {
    const input = textInput(where, example, index);
    const { label } = example as { label?: unknown };
    if (typeof label !== "string") throw wrongField(where, index, "label", label);
    return { ...input, label };
  });
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
