// What real transformers wrote by the templates of tests/fixtures/chat.

import { existsSync, readFileSync } from "node:fs";

const FOLDER = new URL("../fixtures/chat/", import.meta.url);

export const STYLES = ["chatml", "llama2", "llama3", "gemma", "tools", "thinking"];

const read = (name) => readFileSync(new URL(name, FOLDER));

/** The folder's files as the tokenizer was saved, by name. */
export function files(folder) {
  const names = ["tokenizer_config.json", "chat_template.jinja"].filter((name) => existsSync(new URL(`${folder}/${name}`, FOLDER)));
  return Object.fromEntries(names.map((name) => [name, new Uint8Array(read(`${folder}/${name}`))]));
}

/** The answers. */
export const cases = (folder) => JSON.parse(read(`${folder}/cases.json`));

/** Files as `chatSource` reads them; what was asked for is in `asked`, what was dropped in `dropped`. */
export function reader(found) {
  const [asked, dropped] = [[], []];
  const bytes = (value) => (typeof value === "string" ? new TextEncoder().encode(value) : value);
  return {
    asked,
    dropped,
    read: async (file) => {
      asked.push(file);
      if (found[file] instanceof Error) throw found[file];
      return found[file] === undefined ? undefined : bytes(found[file]);
    },
    drop: async (file) => void dropped.push(file),
  };
}
