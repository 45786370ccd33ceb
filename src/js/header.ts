// How large a model is, from its configuration and the header of its weights: nothing else is fetched.

import { Ia3Error } from "./errors.js";
import { announcedLength, chunksOf, join, request, type Fetch } from "./http.js";
import type { EstimateArgs } from "./protocol.js";
import type { Runtime } from "./runtime.js";

/** Fetched at once: a header has about 100 bytes a tensor, so most are inside and need no second request. */
const FIRST_BYTES = 64 * 1024;

/** The longest header that the format allows. */
const LONGEST_HEADER = 100_000_000;

/** The beginning of a file. */
interface Prefix {
  bytes: Uint8Array;
  /** Bytes of the whole file, where known. */
  size: number | undefined;
}

/** Sizes for the given shape. Files that are at hand cost no download. */
export async function measure(
  { source, ...options }: EstimateArgs,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<{ downloadBytes: number; memoryBytes: number }> {
  const { files } = source;
  const [glue, config, tokenizerBytes, weights] = await Promise.all([
    runtime.glue(),
    small(files["config.json"], runtime.fetch, signal),
    size(files["tokenizer.json"], runtime.fetch, signal),
    header(files["model.safetensors"], runtime.fetch, signal),
  ]);
  const { weightBytes, memoryBytes } = glue.estimate(new TextDecoder().decode(config), weights.bytes, options);
  const remote = typeof files["model.safetensors"] === "string";
  const total = config.length + tokenizerBytes + (weights.size ?? weightBytes);
  return { downloadBytes: remote ? total : 0, memoryBytes };
}

/** The first bytes of a safetensors file, with the whole header. */
async function header(place: string | Blob, fetch: Fetch, signal: AbortSignal): Promise<Prefix> {
  const first = await prefix(place, FIRST_BYTES, fetch, signal);
  const needed = headerEnd(first);
  return needed <= first.bytes.length ? first : prefix(place, needed, fetch, signal);
}

// A safetensors file is 8 bytes with the length of the header (little-endian), the header, and the tensors.
function headerEnd({ bytes, size }: Prefix): number {
  const length = bytes.length < 8 ? NaN : Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (length <= Math.min(LONGEST_HEADER, (size ?? Infinity) - 8)) return 8 + length;
  throw new Ia3Error("not-safetensors", "model.safetensors does not begin with a header: check the source", { file: "model.safetensors" });
}

async function prefix(place: string | Blob, length: number, fetch: Fetch, signal: AbortSignal): Promise<Prefix> {
  if (typeof place !== "string") {
    return { bytes: new Uint8Array(await place.slice(0, length).arrayBuffer()), size: place.size };
  }
  const response = await request(fetch, place, { signal, headers: { range: `bytes=0-${length - 1}` } });
  const bytes = await join(atMost(response.body ?? new Blob().stream(), length));
  return { bytes, size: wholeLength(response) };
}

/** The size of a whole file, of which the answer may be a part. */
function wholeLength(response: Response): number | undefined {
  if (response.status !== 206) return announcedLength(response);
  const [, total] = response.headers.get("content-range")?.split("/") ?? [];
  return total === undefined || total === "*" ? undefined : Number(total);
}

// A server that ignores the range sends the whole file: the stream is cancelled when enough has come.
async function* atMost(stream: ReadableStream<Uint8Array>, length: number): AsyncGenerator<Uint8Array, void, undefined> {
  let left = length;
  for await (const chunk of chunksOf(stream)) {
    yield chunk.subarray(0, left);
    left -= chunk.length;
    if (left <= 0) return;
  }
}

async function small(place: string | Blob, fetch: Fetch, signal: AbortSignal): Promise<Uint8Array> {
  const stream = typeof place === "string" ? (await request(fetch, place, { signal })).body : place.stream();
  return join(chunksOf(stream ?? new Blob().stream()));
}

async function size(place: string | Blob, fetch: Fetch, signal: AbortSignal): Promise<number> {
  if (typeof place !== "string") return place.size;
  const response = await request(fetch, place, { signal });
  await response.body?.cancel();
  return announcedLength(response) ?? 0;
}
