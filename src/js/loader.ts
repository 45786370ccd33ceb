// Brings a base model's files into a session: when it is loaded, and again when its device was lost.

import { FileCache } from "./cache.js";
import { Download, type Watcher } from "./download.js";
import { Ia3Error, toIa3Error, type ErrorCode } from "./errors.js";
import { request, type Fetch } from "./http.js";
import type { Session } from "./ia3_web.js";
import { Progress } from "./progress.js";
import { MODEL_FILES, type Call, type LoadArgs, type ModelFile } from "./protocol.js";
import type { Runtime } from "./runtime.js";
import type { DeviceInfo, ProgressEvent } from "./types.js";

/** A loaded base model. */
export interface Loaded {
  session: Session;
  device: DeviceInfo;
}

/** How a load reports and is given up. */
export type LoadCall = Pick<Call<ProgressEvent>, "signal" | "emit">;

/** Errors that say that a file is not what its URL promises: a cached copy is dropped and fetched once more. */
const DAMAGED: readonly ErrorCode[] = ["file-truncated", "file-length", "file-hash", "not-safetensors", "bad-config", "bad-tokenizer"];

/** The loader of one base model. */
export class Loader {
  readonly #args: LoadArgs;
  readonly #runtime: Runtime;

  constructor(args: LoadArgs, runtime: Runtime) {
    this.#args = args;
    this.#runtime = runtime;
  }

  /** A session with the weights on its device. */
  load(call: LoadCall): Promise<Loaded> {
    return this.#twice(call, async (downloads) => {
      const files = await downloads.openAll(MODEL_FILES);
      const [glue, config, tokenizer] = await Promise.all([
        this.#runtime.glue(),
        downloads.bytes(files["config.json"]),
        downloads.bytes(files["tokenizer.json"]),
      ]);
      const session = new glue.Session(config, tokenizer, this.#sessionOptions());
      try {
        const device = await session.openDevice(this.#args.device);
        await downloads.feed(session, files["model.safetensors"]);
        return { session, device };
      } catch (error) {
        release(session);
        throw error;
      }
    });
  }

  /** A fresh device with the weights on it, for a session that lost its own. */
  reload(session: Session, call: LoadCall): Promise<DeviceInfo> {
    return this.#twice(call, async (downloads) => {
      const device = await session.openDevice(this.#args.device);
      const { "model.safetensors": weights } = await downloads.openAll(["model.safetensors"]);
      await downloads.feed(session, weights);
      return device;
    });
  }

  #sessionOptions() {
    const { source, task, labels, pooling, seed } = this.#args;
    return { modelId: source.modelId, revision: source.revision, task, labels, pooling, seed };
  }

  // A damaged cache entry must not lock the user out: it is deleted, and the file fetched past every cache.
  async #twice<T>(call: LoadCall, attempt: (downloads: Downloads) => Promise<T>): Promise<T> {
    const cache = this.#args.cache ? await FileCache.open(this.#runtime.caches) : undefined;
    for (const again of [false, true]) {
      const downloads = new Downloads(this.#args, this.#runtime.fetch, cache, call, again);
      try {
        return await attempt(downloads);
      } catch (error) {
        await downloads.close();
        if (!(await downloads.dropDamaged(error)) || again) throw error;
      }
    }
    throw new Ia3Error("internal", "unreachable: the second attempt returns or throws");
  }
}

/** Frees a session and what it has on the device. */
export function release(session: Session): void {
  try {
    session.dispose();
    session.free();
  } catch {
    // After a panic the session cannot even be freed; its memory goes with the engine.
  }
}

/** The files of one attempt to load. */
class Downloads {
  readonly #args: LoadArgs;
  readonly #fetch: Fetch;
  readonly #cache: FileCache | undefined;
  readonly #signal: AbortSignal;
  readonly #progress: Progress;
  readonly #again: boolean;
  readonly #opened: Download[] = [];

  constructor(args: LoadArgs, fetch: Fetch, cache: FileCache | undefined, call: LoadCall, again: boolean) {
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

  #keeper({ file, length, cached }: Download) {
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
