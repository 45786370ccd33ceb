// Conversations as the caller writes them: checked, and copied as plain data that can go to another thread.

import { bad, isRecord, printable } from "./check.js";
import { CHATS } from "./protocol.js";
import type { ChatMessage, Prompt, Task } from "./types.js";

/** Levels of lists and objects in a message. */
const DEEPEST = 32;

/** A conversation. `what` names it in errors: `messages of input 3`. */
export function conversation(where: string, what: string, found: unknown, details: Readonly<Record<string, unknown>>): ChatMessage[] {
  if (!Array.isArray(found)) throw bad(where, `${what} must be a list of {role, content}, and is ${printable(found)}`, details);
  if (found.length === 0) throw bad(where, `${what} is an empty list: give it a message at least`, details);
  return found.map((message: unknown, at) => {
    const place = `message ${at} of ${what}`;
    if (!isRecord(message)) throw bad(where, `${place} must be {role, content}, and is ${printable(message)}`, { ...details, message: at });
    const { role, content } = message;
    if (typeof role !== "string" || role === "") {
      throw bad(where, `role of ${place} must be a string such as "user" or "assistant", and is ${printable(role)}`, { ...details, message: at, field: "role" });
    }
    if (typeof content !== "string" && content !== null) {
      throw bad(where, `content of ${place} must be a string, and is ${printable(content)}`, { ...details, message: at, field: "content" });
    }
    const wrong = (field: string) => bad(where, `${field} of ${place} must be plain data as JSON has it`, { ...details, message: at, field });
    const further = Object.entries(message).filter(([, value]) => value !== undefined);
    return Object.fromEntries(further.map(([field, value]) => [field, plain(value, DEEPEST, () => wrong(field))])) as unknown as ChatMessage;
  });
}

/** A text, or for text-generation a conversation that the assistant goes on with. */
export function prompt(where: string, task: Task, index: number, field: string, found: unknown): Prompt {
  if (typeof found === "string") return found;
  if (!Array.isArray(found)) throw bad(where, `${field} of input ${index} must be a string${task === CHATS ? " or a list of messages" : ""}, and is ${printable(found)}`, { index, field });
  if (task !== CHATS) throw bad(where, `${field} of input ${index} holds messages, which need the task ${CHATS}: give it a string`, { index, field });
  return conversation(where, `${field} of input ${index}`, found, { index, field });
}

function plain(value: unknown, depth: number, wrong: () => Error): unknown {
  if (value === null || typeof value === "string" || typeof value === "boolean" || Number.isFinite(value)) return value;
  if (depth > 0 && Array.isArray(value)) return value.map((item: unknown) => plain(item, depth - 1, wrong));
  if (depth > 0 && isRecord(value)) {
    const held = Object.entries(value).filter(([, item]) => item !== undefined);
    return Object.fromEntries(held.map(([name, item]) => [name, plain(item, depth - 1, wrong)]));
  }
  throw wrong();
}
