// Files that only pretend to be GGUF, and what the module makes of their start.

import { wasmError } from "./session.mjs";

const encoder = new TextEncoder();

/** The name of a GGUF, and a path on a server. */
export const NAME = "Tiny.Q4_1.gguf";

/** A file whose start has `head` bytes, with as many of tensors after it as make `size`. */
export function gguf(head, size = head + 300_000) {
  const file = new Uint8Array(size).map((_, at) => at % 251);
  file.set(encoder.encode("GGUF"));
  new DataView(file.buffer).setUint32(4, head, true);
  return file;
}

/** What `tokenizer_config.json` says of all of them. */
export const CHAT_CONFIG = { chat_template: "{{ messages[0].content }}", eos_token: "</s>" };

/** The module's function; how many bytes it was given is in `faults.starts`, and `faults.ggufFiles` are errors for its next calls. */
export function fakeGgufFiles(faults = {}) {
  return (file, start) => {
    faults.starts?.push(start.length);
    const fault = faults.ggufFiles?.shift();
    if (fault) throw fault;
    if (new TextDecoder().decode(start.subarray(0, 4)) !== "GGUF") throw wasmError("not-gguf", { file });
    if (start.length < 8 || start.length < new DataView(start.buffer, start.byteOffset).getUint32(4, true)) return undefined;
    const files = { "config.json": { model_type: "llama" }, "tokenizer.json": { of: file }, "tokenizer_config.json": CHAT_CONFIG };
    return Object.fromEntries(Object.entries(files).map(([name, value]) => [name, encoder.encode(JSON.stringify(value))]));
  };
}
