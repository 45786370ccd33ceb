// The files of a base model in one attempt to load it: opened together, reported together, kept in one cache.

import type { CacheWriter, FileCache } from "./cache.js";
import { Download, type Watcher } from "./download.js";
import { toIa3Error, type ErrorCode } from "./errors.js";
import { request, type Fetch } from "./http.js";
import type { Session } from "./ia3_web.js";
import { Progress } from "./progress.js";
import { MODEL_FILES, type Call, type LoadArgs, type ModelFile } from "./protocol.js";
import type { ProgressEvent } from "./types.js";

/** Errors that say that a file is not what its URL promises: a cached copy is dropped and fetched once more. */
const DAMAGED: readonly ErrorCode[] = ["file-truncated", "file-length", "file-hash", "not-safetensors", "bad-config", "bad-tokenizer"];

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
    const opened = await Promise.allSettled(files.map((file) => this.#open(file)));
    const failed = opened.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
    return Object.fromEntries(this.#opened.map((download) => [download.file, download])) as Record<F, Download>;
  }

  /** A small file whole. */
  bytes(download: Download): Promise<Uint8Array> {
    const { file } = download;
    return download.bytes(this.#watcher(file), this.#keeper(download), this.#signal, this.#args.sha256[file]);
  }

  /** The weights, chunk by chunk: no whole copy is held on the way. */
  async feed(session: Session, download: Download): Promise<void> {
    session.beginWeights(download.length, this.#args.sha256[download.file]);
    const chunks = download.chunks(this.#watcher(download.file), this.#keeper(download), this.#signal);
    for await (const chunk of chunks) session.feedWeights(chunk);
    await session.finishWeights();
  }

  /** Lets go of what was opened and not read. */
  async close(): Promise<void> {
    await Promise.all(this.#opened.map((download) => download.cancel()));
  }

  /** Deletes the cache entry that an error is about; `true` if a fresh copy may help. */
  async dropDamaged(error: unknown): Promise<boolean> {
    const file = damagedFile(error);
    if (!file) return false;
    const url = this.#args.source.files[file];
    if (typeof url === "string") await this.#cache?.drop(url);
    return this.#opened.some((download) => download.file === file && download.cached);
  }

  async #open(file: ModelFile): Promise<void> {
    this.#progress.initiate(file);
    const download = await this.#find(file, this.#args.source.files[file]);
    this.#opened.push(download);
    this.#progress.download(file, download.length ?? 0, download.cached);
  }

  async #find(file: ModelFile, place: string | Blob): Promise<Download> {
    if (typeof place !== "string") return Download.ofBlob(file, place);
    const kept = await this.#cache?.find(place);
    if (kept) return Download.ofResponse(file, kept, true);
    const init: RequestInit = { signal: this.#signal, ...(this.#again ? { cache: "reload" } : {}) };
    return Download.ofResponse(file, await request(this.#fetch, place, init), false);
  }

  #watcher(file: ModelFile): Watcher {
    return { add: (bytes) => this.#progress.add(file, bytes), done: () => this.#progress.done(file) };
  }

  #keeper({ file, length, cached }: Download): CacheWriter | undefined {
    const url = this.#args.source.files[file];
    if (cached || typeof url !== "string") return undefined;
    return this.#cache?.keep(url, length, (reason) => this.#progress.skipped(file, reason));
  }
}

/** The file that an error finds damaged. */
function damagedFile(error: unknown): ModelFile | undefined {
  const { code, details } = toIa3Error(error);
  if (!DAMAGED.includes(code)) return undefined;
  const named = MODEL_FILES.find((file) => file === details["file"]);
  if (named) return named;
  if (code === "bad-config") return "config.json";
  return code === "bad-tokenizer" ? "tokenizer.json" : "model.safetensors";
}
