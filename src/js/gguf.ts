// The start of a GGUF, read from its bytes as they come until it tells what model it is.

import { Ia3Error, toIa3Error } from "./errors.js";
import type { Glue } from "./runtime.js";

/** The start can only be tried: again whenever so many times as many bytes have come, as the module itself does it. */
const GROWTH = 1.25;

/** A GGUF up to its tensors, or somewhat beyond. */
export interface GgufStart {
  /** The files of a folder that it stands for, by name. */
  files: NonNullable<ReturnType<Glue["ggufFiles"]>>;
  /** All bytes that were taken. */
  bytes: Uint8Array;
}

/**
 * Takes bytes of a GGUF, called `file` in errors, until its start is whole. What comes after stays in `chunks`.
 *
 * @throws `not-gguf` and the other errors of a file that is none or cannot be used, `file-truncated` where it ends too early
 */
export async function ggufStart(file: string, chunks: AsyncIterator<Uint8Array>, { ggufFiles }: Pick<Glue, "ggufFiles">): Promise<GgufStart> {
  let parts: Uint8Array[] = [];
  let [received, tried] = [0, 0];
  for (;;) {
    const { done = false, value } = await chunks.next();
    if (!done) {
      parts.push(value);
      received += value.length;
    }
    if (received > tried && (done || received >= GROWTH * tried)) {
      const bytes = concatenated(parts, received);
      const files = ggufFiles(file, bytes);
      if (files) return { files, bytes };
      [parts, tried] = [[bytes], received];
    }
    if (done) throw endsEarly(file, received);
  }
}

/** The bytes that were taken, and those that are left. */
export async function* resumed({ bytes }: GgufStart, rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
  yield* rest;
}

/** An error that blames a file which `file`, a GGUF, only stands for, as one of `file`; any other as it is. */
export function ofGguf(file: string, cause: unknown): unknown {
  const { code, message, details } = toIa3Error(cause);
  if (code !== "bad-config" && code !== "bad-tokenizer") return cause;
  return new Ia3Error(code, `${file} cannot be used: its settings, read as the files of Hugging Face, say: ${message}`, { ...details, file }, { cause });
}

function concatenated(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function endsEarly(file: string, actual: number): Ia3Error {
  const text = `${file} ends after ${actual} bytes, before its tensors begin: download it again`;
  return new Ia3Error("file-truncated", text, { file, expected: actual + 1, actual });
}
