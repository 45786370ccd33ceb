// Conversations as a model's chat template writes them, and which parts of them the assistant wrote.

import type { ChatSource } from "./chat-source.js";
import { Ia3Error } from "./errors.js";
import type { Prompt as Written, SessionContinuation, SessionExample, SessionRanking } from "./ia3_web.js";
import { importUrl } from "./import-url.js";
import type { ChatTemplate, Piece } from "./jinja.js";
import { nextTask } from "./turn.js";
import type { AnyExample, ChatMessage, Continuation, Prompt, Ranking } from "./types.js";

/** Rows between two pauses in which other messages get through. */
const AT_ONCE = 64;

/** How one model chats. */
export class Chat {
  readonly #source: ChatSource | Ia3Error;
  #compiled: Promise<ChatTemplate> | undefined;

  constructor(source: ChatSource | Ia3Error) {
    this.#source = source;
    // The script comes with the model, so that whoever has loaded one needs no network to chat. What fails here is said when it is needed.
    if (!(source instanceof Ia3Error)) this.#template().catch(() => {});
  }

  /** A conversation as text. */
  async text(messages: readonly ChatMessage[], addGenerationPrompt: boolean, index?: number): Promise<string> {
    return joined(await this.#render(messages, addGenerationPrompt, index));
  }

  /**
   * A conversation in pieces, of which those of the assistant are learned: what the template marks as generated, or else what each turn
   * adds to the prompt for it.
   */
  async pieces(messages: readonly ChatMessage[], index: number): Promise<Piece[]> {
    const whole = await this.#render(messages, false, index);
    if ((await this.#template()).marks) return whole;
    const text = joined(whole);
    const pieces: Piece[] = [];
    let end = 0;
    for (const [turn, { role }] of messages.entries()) {
      if (role !== "assistant") continue;
      if (turn === 0) throw failed("the assistant's turn has no turn before it: begin with another", { index, turn });
      const before = await this.text(messages.slice(0, turn), true, index);
      const after = await this.text(messages.slice(0, turn + 1), false, index);
      if (!text.startsWith(before) || !text.startsWith(after) || after.length < before.length || before.length < end) {
        const why = "is written differently when others follow, so that what it adds cannot be told: leave out the turns after it";
        throw failed(`message ${turn} ${why}, or give a chatTemplate with {% generation %} marks`, { index, turn });
      }
      pieces.push({ text: text.slice(end, before.length), learned: false }, { text: text.slice(before.length, after.length), learned: true });
      end = after.length;
    }
    return [...pieces, { text: text.slice(end), learned: false }].filter(({ text }) => text !== "");
  }

  /** Examples with their conversations rendered; others stay as they are. */
  examples(examples: readonly AnyExample[]): Promise<SessionExample[]> {
    return inOrder(examples, async (example, index) => {
      if ("messages" in example) return { pieces: await this.pieces(example.messages, index) };
      return "choices" in example ? { ...example, input: await this.#prompt(example.input, index) } : example;
    });
  }

  /** Continuations, likewise. */
  continuations(rows: readonly Continuation[]): Promise<SessionContinuation[]> {
    return inOrder(rows, async (row, index) => ({ ...row, prompt: await this.#prompt(row.prompt, index) }));
  }

  /** Prompts, likewise. */
  prompts(prompts: readonly Prompt[]): Promise<Written[]> {
    return inOrder(prompts, (prompt, index) => this.#prompt(prompt, index));
  }

  /** Inputs with choices, likewise. */
  rankings(rows: readonly Ranking[]): Promise<SessionRanking[]> {
    return inOrder(rows, async (row, index) => ("input" in row ? { ...row, input: await this.#prompt(row.input, index) } : row));
  }

  async #prompt(prompt: Prompt, index: number): Promise<Written> {
    return typeof prompt === "string" ? prompt : { rendered: await this.text(prompt, true, index) };
  }

  async #render(messages: readonly ChatMessage[], addGenerationPrompt: boolean, index: number | undefined): Promise<Piece[]> {
    const template = await this.#template();
    const { tokens } = this.#source as ChatSource;
    const variables = { ...tokens, messages: messages.map(seen), tools: null, documents: null, add_generation_prompt: addGenerationPrompt };
    try {
      return template.render(variables);
    } catch (error) {
      throw failed(reasonOf(error), index === undefined ? {} : { index }, error);
    }
  }

  #template(): Promise<ChatTemplate> {
    return (this.#compiled ??= compile(this.#source).catch((error: unknown) => {
      // A script that could not be loaded may be there the next time.
      this.#compiled = undefined;
      throw error;
    }));
  }
}

async function compile(source: ChatSource | Ia3Error): Promise<ChatTemplate> {
  if (source instanceof Ia3Error) throw source;
  const { ChatTemplate } = await jinja();
  try {
    return new ChatTemplate(source.template);
  } catch (error) {
    throw failed(reasonOf(error), {}, error);
  }
}

// By URL: a bundler then keeps the script as it is, and one that makes a worker of one piece does not put it in there.
async function jinja(): Promise<typeof import("./jinja.js")> {
  const url = new URL("./jinja.js", import.meta.url);
  try {
    return (await importUrl(url.href)) as typeof import("./jinja.js");
  } catch (cause) {
    throw new Ia3Error("file-unreachable", `${url.href} cannot be loaded (${String(cause)}): it must lie beside the script`, { url: url.href }, { cause });
  }
}

const REASONING = ["reasoning_content", "thinking", "reasoning"] as const;

/** A message as transformers shows it to templates: without null, and its reasoning under both of the names that templates read. */
function seen(message: ChatMessage): Record<string, unknown> {
  const held = Object.fromEntries(Object.entries(message).filter(([, value]) => value !== null));
  const name = REASONING.find((name) => held[name] !== undefined);
  return name === undefined ? held : { thinking: held[name], ...held, reasoning_content: held[name] };
}

function joined(pieces: readonly Piece[]): string {
  return pieces.map(({ text }) => text).join("");
}

async function inOrder<T, U>(items: readonly T[], work: (item: T, index: number) => Promise<U>): Promise<U[]> {
  const found: U[] = [];
  for (const [index, item] of items.entries()) {
    if (index > 0 && index % AT_ONCE === 0) await nextTask();
    found.push(await work(item, index));
  }
  return found;
}

function reasonOf(error: unknown): string {
  // A template that calls itself for ever.
  if (error instanceof RangeError) return "it needs more memory or depth than there is";
  return error instanceof Error ? error.message : String(error);
}

function failed(reason: string, details: Readonly<Record<string, unknown>>, cause?: unknown): Ia3Error {
  const { index } = details;
  const which = index === undefined ? "" : ` for input ${String(index)}`;
  return new Ia3Error("chat-template-failed", `the chat template failed${which}: ${reason}`, details, { cause });
}
