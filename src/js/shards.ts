// The index of weights that are cut into several files: which shards there are, and how large they are together.

import { isRecord } from "./check.js";
import { Ia3Error } from "./errors.js";
import { INDEX } from "./protocol.js";

/** Bytes of the longest index that is read; one line a tensor makes some hundred kilobytes in the largest models. */
export const LONGEST_INDEX = 16 * 1024 * 1024;

/** More than any model has whose weights a browser can hold. */
const MOST_SHARDS = 1000;

/** What an index says. */
export interface Shards {
  /** Names of the files, in order. */
  files: string[];
  /** Bytes of all tensors; 0 where the index does not say. */
  totalBytes: number;
}

/** Reads an index, of which nothing is believed: names become parts of URLs. */
export function shardsOf(index: Uint8Array): Shards {
  const { weight_map: map, metadata } = parsed(index);
  if (!isRecord(map)) throw broken("it has no weight_map");
  const files = [...new Set(Object.values(map))];
  const wrong = files.find((file) => !isShardName(file));
  if (wrong !== undefined) throw broken(`${JSON.stringify(wrong)} is not the name of a safetensors file`);
  if (files.length === 0 || files.length > MOST_SHARDS) throw broken(`it names ${files.length} files, where 1 to ${MOST_SHARDS} can be`);
  const total = isRecord(metadata) ? metadata["total_size"] : undefined;
  return { files: (files as string[]).sort(), totalBytes: Number.isSafeInteger(total) ? Math.max(0, total as number) : 0 };
}

/** The error of an index that is longer than any. */
export function indexTooLong(): Ia3Error {
  return broken(`it has more than ${LONGEST_INDEX} bytes`);
}

function isShardName(file: unknown): boolean {
  return typeof file === "string" && /^\w[\w.-]{0,200}\.safetensors$/.test(file);
}

function parsed(index: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(index));
  } catch (error) {
    throw broken(String(error));
  }
  if (!isRecord(value)) throw broken("it is no object");
  return value;
}

function broken(reason: string): Ia3Error {
  return new Ia3Error("not-safetensors", `${INDEX} is not an index of weights (${reason}): give the one of the model`, { file: INDEX });
}
