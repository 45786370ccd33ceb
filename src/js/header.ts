// How large a model is, from its configuration and the headers of its weights, or from the start of its GGUF: nothing else is fetched.

import { Ia3Error } from "./errors.js";
import { ggufStart, ofGguf } from "./gguf.js";
import { announcedLength, chunksOf, isAbsent, join, request, wholeLength, type Fetch } from "./http.js";
import { CHATS, INDEX, type EstimateArgs, type ResolvedSource } from "./protocol.js";
import type { Runtime } from "./runtime.js";
import { LONGEST_INDEX, indexTooLong, shardsOf } from "./shards.js";
import { Parts } from "./parts.js";
import { placeOf } from "./source.js";

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
export function measure(
  { source, ...options }: EstimateArgs,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<{ downloadBytes: number; memoryBytes: number }> {
  return source.gguf ? measureGguf(source.gguf, options, runtime, signal) : measureFolder(source, options, runtime, signal);
}

async function measureGguf(
  { file, place }: NonNullable<ResolvedSource["gguf"]>,
  options: Omit<EstimateArgs, "source">,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<{ downloadBytes: number; memoryBytes: number }> {
  const glue = await runtime.glue();
  const parts = new Parts(place, runtime.fetch, signal);
  const chunks = parts.chunks();
  try {
    const { files, bytes } = await ggufStart(file, chunks, glue);
    const { weightBytes, memoryBytes } = glue.estimate(new TextDecoder().decode(files["config.json"]), [bytes], options);
    return { downloadBytes: typeof place === "string" ? (parts.size ?? weightBytes) : 0, memoryBytes };
  } catch (error) {
    throw ofGguf(file, error);
  } finally {
    await chunks.return();
  }
}

async function measureFolder(
  source: ResolvedSource,
  options: Omit<EstimateArgs, "source">,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<{ downloadBytes: number; memoryBytes: number }> {
  const forChat = options.task === CHATS ? ["tokenizer_config.json", "chat_template.jinja"] : [];
  const [glue, config, tokenizerBytes, weights, ...chatBytes] = await Promise.all([
    runtime.glue(),
    small(placeOf(source, "config.json"), runtime.fetch, signal),
    size(placeOf(source, "tokenizer.json"), runtime.fetch, signal),
    headers(source, runtime.fetch, signal),
    ...forChat.map((file) => sizeIfAny(source, file, runtime.fetch, signal)),
  ]);
  const starts = weights.files.map(({ bytes }) => bytes);
  const { weightBytes, memoryBytes } = glue.estimate(new TextDecoder().decode(config), starts, options);
  const sizes = weights.files.reduce<number | undefined>((sum, { size }) => (size === undefined || sum === undefined ? undefined : sum + size), 0);
  const total = chatBytes.reduce((sum, bytes) => sum + bytes, config.length) + tokenizerBytes + weights.indexBytes + (sizes ?? (weights.totalBytes || weightBytes));
  return { downloadBytes: typeof source.folder === "string" ? total : 0, memoryBytes };
}

/** The starts of the files that hold the weights. */
interface Weights {
  files: Prefix[];
  /** Bytes of the index, if there is one, and of all tensors, if it tells. */
  indexBytes: number;
  totalBytes: number;
}

/** The headers of the one file or of all shards. */
async function headers(source: ResolvedSource, fetch: Fetch, signal: AbortSignal): Promise<Weights> {
  try {
    return { files: [await header(source, "model.safetensors", fetch, signal)], indexBytes: 0, totalBytes: 0 };
  } catch (error) {
    if (!isAbsent(error)) throw error;
    const index = await start(source, INDEX, LONGEST_INDEX + 1, fetch, signal).catch((other: unknown) => {
      throw isAbsent(other) ? error : other;
    });
    if (index.bytes.length > LONGEST_INDEX) throw indexTooLong();
    const { files, totalBytes } = shardsOf(index.bytes);
    const found = await Promise.all(files.map((file) => header(source, file, fetch, signal)));
    return { files: found, indexBytes: index.bytes.length, totalBytes };
  }
}

/** The first bytes of a safetensors file, with the whole header. */
async function header(source: ResolvedSource, file: string, fetch: Fetch, signal: AbortSignal): Promise<Prefix> {
  const first = await start(source, file, FIRST_BYTES, fetch, signal);
  const needed = headerEnd(file, first);
  return needed <= first.bytes.length ? first : start(source, file, needed, fetch, signal);
}

// A safetensors file is 8 bytes with the length of the header (little-endian), the header, and the tensors.
function headerEnd(file: string, { bytes, size }: Prefix): number {
  const length = bytes.length < 8 ? NaN : Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (length <= Math.min(LONGEST_HEADER, (size ?? Infinity) - 8)) return 8 + length;
  throw new Ia3Error("not-safetensors", `${file} does not begin with a header: check the source`, { file });
}

async function start(source: ResolvedSource, file: string, length: number, fetch: Fetch, signal: AbortSignal): Promise<Prefix> {
  const place = placeOf(source, file);
  if (typeof place !== "string") {
    return { bytes: new Uint8Array(await place.slice(0, length).arrayBuffer()), size: place.size };
  }
  const response = await request(fetch, place, { signal, headers: { range: `bytes=0-${length - 1}` } });
  const bytes = await join(atMost(response.body ?? new Blob().stream(), length));
  return { bytes, size: wholeLength(response) };
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

/** The size of a file that a model may lack. */
async function sizeIfAny(source: ResolvedSource, file: string, fetch: Fetch, signal: AbortSignal): Promise<number> {
  // At hand it costs no download, whether it is there or not.
  if (typeof source.folder !== "string") return 0;
  return size(source.folder + file, fetch, signal).catch((error: unknown) => {
    if (isAbsent(error)) return 0;
    throw error;
  });
}
