// What wasm-bindgen's script exports, with a session that only pretends. One instance per evaluation, like the real one.

import { fakeGgufFiles } from "./gguf-fixtures.mjs";
import { FakeSession } from "./session.mjs";

/** Every instance of the module in this thread, in the order of their start. */
const instances = (globalThis.fakeInstances ??= []);

let started = false;

export default async function init() {
  if (!started) instances.push(import.meta.url);
  started = true;
}

export class Session extends FakeSession {
  constructor(config, tokenizer, options) {
    super(globalThis.fakeFaults ?? {}, config, tokenizer, options);
  }
}

export const ggufFiles = fakeGgufFiles();

export function estimate() {
  return { weightBytes: 90_000_000, memoryBytes: 200_000_000 };
}
