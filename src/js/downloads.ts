// The files of a base model in one attempt to load it: opened together, reported together, kept in one cache.

import type { CacheWriter, FileCache } from "./cache.js";
import { Download, type Watcher } from "./download.js";
import { codeOf, Ia3Error, toIa3Error, type ErrorCode } from "./errors.js";
import { announcedLength, isAbsent, request, type Fetch } from "./http.js";
import type { Session } from "./ia3_web.js";
import { Progress } from "./progress.js";
import { INDEX, type Call, type LoadArgs, type ModelFile } from "./protocol.js";
import { LONGEST_INDEX, indexTooLong, shardsOf } from "./shards.js";
import { placeOf } from "./source.js";
import type { ProgressEvent } from "./types.js";

/** Errors that say that a file is not what its URL promises: a cached copy is dropped and fetched once more. */
const DAMAGED: readonly ErrorCode[] = ["file-truncated", "file-length", "file-hash", "not-safetensors", "not-gguf", "bad-config", "bad-tokenizer"];

/** The files of one attempt to load. */
export class Downloads {
  readonly #args: LoadArgs;
  readonly #fetch: Fetch;
  readonly #cache: FileCache | undefined;
  readonly #signal: AbortSignal;
  readonly #progress: Progress;
  readonly #again: boolean;
  readonly #opened: Download[] = [];

  constructor(args: LoadArgs, fetch: Fetch, cache: FileCache | undefined, call: Call<ProgressEvent>, again: boolean) {
    this.#args = args;
    this.#fetch = fetch;
    this.#cache = cache;
    this.#signal = call.signal;
    this.#progress = new Progress(args.source.name, call.emit);
    this.#again = again;
  }

  /** Opens files side by side, so that all sizes are known before the first byte is counted. */
  async openAll<F extends ModelFile>(files: readonly F[]): Promise<Record<F, Download>> {
    const opened = await Promise.allSettled(files.map((file) => (file === "model.safetensors" ? this.openWeights() : this.#open(file))));
    const found = opened.map((result, at) => {
      if (result.status === "rejected") throw result.reason;
      return [files[at], result.value] as const;
    });
    return Object.fromEntries(found) as Record<F, Download>;
  }

  /** A small file that a model may lack, whole; `undefined` where it does. That it is lacking is kept too, for visits without a network. */
  async optional(file: string, most: number): Promise<Uint8Array | undefined> {
    const { folder } = this.#args.source;
    if (typeof folder !== "string") return Object.hasOwn(folder, file) ? this.#bounded(await this.#open(file), most) : undefined;
    const kept = await this.#cache?.find(folder + file);
    if (kept && announcedLength(kept) === 0) return undefined;
    try {
      return await this.#bounded(await this.#open(file), most);
    } catch (error) {
      if (!isAbsent(error)) throw error;
      await this.#cache?.keepAbsent(folder + file);
      return undefined;
    }
  }

  /** Forgets the kept copy of a file. */
  async drop(file: string): Promise<void> {
    const url = placeOf(this.#args.source, file);
    if (typeof url === "string") await this.#cache?.drop(url);
  }

  /** A small file whole. */
  bytes(download: Download): Promise<Uint8Array> {
    const { file } = download;
    return download.bytes(this.#watcher(file), this.#keeper(download), this.#signal, this.#args.sha256[file]);
  }

  /** The bytes of a file in order. */
  chunks(download: Download): AsyncGenerator<Uint8Array, void, undefined> {
    return download.chunks(this.#watcher(download.file), this.#keeper(download), this.#signal);
  }

  /** The weights, chunk by chunk: no whole copy is held on the way. `chunks` are those of a file whose start was read before. */
  async feed(session: Session, download: Download, chunks?: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      session.beginWeights();
      if (download.file === INDEX) await this.#feedShards(session, download);
      else await this.#feedFile(session, download, chunks);
      await session.finishWeights();
    } catch (error) {
      throw codeOf(error) === "out-of-memory" ? tooLarge(download, error) : error;
    }
  }

  // One after the other: bodies that wait unread would hold all the connections a browser has for one server.
  async #feedShards(session: Session, index: Download): Promise<void> {
    const { files, totalBytes } = shardsOf(await this.#bounded(index, LONGEST_INDEX));
    let left = totalBytes;
    this.#progress.expect(left);
    for (const [at, file] of files.entries()) {
      const shard = await this.#open(file);
      left = at + 1 < files.length ? Math.max(0, left - (shard.length ?? 0)) : 0;
      this.#progress.expect(left);
      await this.#feedFile(session, shard);
    }
  }

  async #bounded(download: Download, most: number): Promise<Uint8Array> {
    let received = 0;
    const { add, done } = this.#watcher(download.file);
    const bounded = (bytes: number) => {
      received += bytes;
      if (received > most) throw tooLong(download.file, most);
      add(bytes);
    };
    if ((download.length ?? 0) > most) throw tooLong(download.file, most);
    return download.bytes({ add: bounded, done }, this.#keeper(download), this.#signal, this.#args.sha256[download.file]);
  }

  async #feedFile(session: Session, download: Download, chunks: AsyncIterable<Uint8Array> = this.chunks(download)): Promise<void> {
    session.beginFile(download.file, download.length, this.#args.sha256[download.file]);
    for await (const chunk of chunks) session.feedWeights(chunk);
  }

  /** Lets go of what was opened and not read. */
  async close(): Promise<void> {
    await Promise.all(this.#opened.map((download) => download.cancel()));
  }

  /** Deletes the cache entry that an error is about; `true` if a fresh copy may help. */
  async dropDamaged(error: unknown): Promise<boolean> {
    const file = damagedFile(error);
    // An error names the file that it found damaged, and that can only be one that was opened.
    if (!file || !this.#opened.some((download) => download.file === file)) return false;
    await this.drop(file);
    return this.#opened.some((download) => download.file === file && download.cached);
  }

  async #open(file: string): Promise<Download> {
    this.#progress.initiate(file);
    const download = await this.#find(file, placeOf(this.#args.source, file));
    this.#opened.push(download);
    this.#progress.download(file, download.length ?? 0, download.cached);
    return download;
  }

  /** The file of the weights: the GGUF, or `model.safetensors`, or the index of shards. */
  async openWeights(): Promise<Download> {
    const { gguf } = this.#args.source;
    if (gguf) return this.#open(gguf.file);
    // Only its server knows whether a model has one file or shards; without it, a kept index says so.
    if (await this.#isKept(INDEX)) return this.#open(INDEX);
    try {
      return await this.#open("model.safetensors");
    } catch (error) {
      if (!isAbsent(error)) throw error;
      return this.#open(INDEX).catch((other: unknown) => {
        throw isAbsent(other) ? error : other;
      });
    }
  }

  async #isKept(file: string): Promise<boolean> {
    const { folder } = this.#args.source;
    return typeof folder === "string" && (await this.#cache?.find(folder + file)) !== undefined;
  }

  async #find(file: string, place: string | Blob): Promise<Download> {
    if (typeof place !== "string") return Download.ofBlob(file, place);
    const kept = await this.#cache?.find(place);
    if (kept) return Download.ofResponse(file, kept, true);
    const init: RequestInit = { signal: this.#signal, ...(this.#again ? { cache: "reload" } : {}) };
    return Download.ofResponse(file, await request(this.#fetch, place, init), false);
  }

  #watcher(file: string): Watcher {
    return { add: (bytes) => this.#progress.add(file, bytes), done: () => this.#progress.done(file) };
  }

  #keeper({ file, length, cached }: Download): CacheWriter | undefined {
    const url = placeOf(this.#args.source, file);
    if (cached || typeof url !== "string") return undefined;
    return this.#cache?.keep(url, length, (reason) => this.#progress.skipped(file, reason));
  }
}

function tooLong(file: string, most: number): Ia3Error {
  if (file === INDEX) return indexTooLong();
  return new Ia3Error("chat-template-failed", `${file} has more than ${most} bytes: give the one of the model`, { file });
}

/** The session says which `dtype` needs less; where memory was missing outside of it, nothing is known but the file. */
function tooLarge({ file, length }: Download, cause: unknown): Ia3Error {
  const { message, details } = toIa3Error(cause);
  const size = file !== INDEX && length !== undefined ? ` (it has ${length} bytes)` : "";
  const advice = "load a smaller model, or close other tabs; Model.estimate tells what a model takes and what this browser gives";
  const told = details["weightBytes"] === undefined ? `out of memory while loading ${file}${size}: ${advice}` : `${file}: ${message}`;
  return new Ia3Error("out-of-memory", told, { ...details, file }, { cause });
}

/** The file that an error finds damaged. */
function damagedFile(error: unknown): string | undefined {
  const { code, details } = toIa3Error(error);
  if (!DAMAGED.includes(code)) return undefined;
  if (typeof details["file"] === "string") return details["file"];
  if (code === "bad-config") return "config.json";
  return code === "bad-tokenizer" ? "tokenizer.json" : "model.safetensors";
}
