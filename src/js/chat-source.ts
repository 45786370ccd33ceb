// How a model chats: its chat template and special tokens, from the files where transformers keeps them.

import { isRecord } from "./check.js";
import { Ia3Error } from "./errors.js";

/** Bytes of the longest of these files that is read; one with thousands of added tokens has a megabyte. */
export const LONGEST_CHAT_FILE = 16 * 1024 * 1024;

/** Where the files are. None of them has to be there. */
export interface ChatFiles {
  /** A file whole; `undefined` where there is none. */
  read(file: string): Promise<Uint8Array | undefined>;
  /** Told of a file that cannot be used, so that no copy of it is kept. */
  drop(file: string): Promise<void>;
}

/** What templates are rendered with. */
export interface ChatSource {
  template: string;
  /** `bos_token`, `eos_token` and further tokens by name. */
  tokens: Record<string, string>;
}

type Fields = Record<string, unknown>;

/**
 * Reads them in the order of transformers: `chat_template.jinja` goes before `tokenizer_config.json`, and `special_tokens_map.json`
 * counts where the latter knows no added tokens. `chat_template.json` comes last. What cannot be used is no reason not to load a model:
 * it is the answer, for those who chat.
 *
 * @param given a template that takes the place of the model's own
 */
export async function chatSource(files: ChatFiles, given: string | null): Promise<ChatSource | Ia3Error> {
  try {
    const [jinja, config = {}] = await Promise.all([
      given === null ? files.read("chat_template.jinja") : undefined,
      fields(files, "tokenizer_config.json"),
    ]);
    const template = given ?? (jinja && text(jinja)) ?? templateOf(config) ?? templateOf((await fields(files, "chat_template.json")) ?? {});
    if (template === undefined) return noTemplate("this model has none");
    const older = isRecord(config["added_tokens_decoder"]) ? undefined : await fields(files, "special_tokens_map.json");
    return { template, tokens: tokensOf({ ...config, ...older }) };
  } catch (error) {
    const { code } = error as Partial<Ia3Error>;
    if (error instanceof Ia3Error && (code === "file-unreachable" || code === "chat-template-failed" || code === "no-chat-template")) return error;
    throw error;
  }
}

/** The error of messages for which there is no template. */
export function noTemplate(reason: string): Ia3Error {
  return new Ia3Error("no-chat-template", `messages need a chat template (${reason}): load the model with the option chatTemplate, or write the text yourself`);
}

/** One template, or several by name. */
function templateOf({ chat_template: found }: Fields): string | undefined {
  if (found === undefined || found === null || typeof found === "string") return found ?? undefined;
  const named = Array.isArray(found) ? (found as unknown[]).filter(isRecord) : [];
  const chosen = named.find(({ name }) => name === "default")?.["template"];
  if (typeof chosen === "string") return chosen;
  throw noTemplate(`this model's are ${named.map(({ name }) => String(name)).join(", ") || "of no known form"}, and none is the default`);
}

function tokensOf(config: Fields): Record<string, string> {
  const extra = config["extra_special_tokens"];
  const named = [...Object.entries(config).filter(([name]) => name.endsWith("_token")), ...Object.entries(isRecord(extra) ? extra : {})];
  return Object.fromEntries(named.flatMap(([name, token]) => {
    const content = isRecord(token) ? token["content"] : token;
    return typeof content === "string" ? [[name, content]] : [];
  }));
}

async function fields(files: ChatFiles, file: string): Promise<Fields | undefined> {
  const bytes = await files.read(file);
  if (!bytes) return undefined;
  let reason = "it is no object";
  try {
    const value: unknown = JSON.parse(text(bytes));
    if (isRecord(value)) return value;
  } catch (error) {
    reason = String(error);
  }
  await files.drop(file);
  throw new Ia3Error("chat-template-failed", `${file} cannot be read (${reason}): give the one of the model`, { file });
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
