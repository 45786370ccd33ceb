// The browser's Cache API as a store of downloaded files: whole files only, and never a reason to fail.

const NAME = "ia3-web";

/** Told why a file is not kept. */
export type Skipped = (reason: string) => void;

/** Downloaded files by URL. Without the Cache API (insecure context, private window) it is always empty. */
export class FileCache {
  readonly #cache: Cache | undefined;
  readonly #absent: string;

  private constructor(cache: Cache | undefined, absent: string) {
    this.#cache = cache;
    this.#absent = absent;
  }

  /** `storage` is `globalThis.caches`, which insecure contexts lack. */
  static async open(storage: CacheStorage | undefined): Promise<FileCache> {
    if (!storage) return new FileCache(undefined, "this page has no Cache API, which needs https or localhost");
    try {
      return new FileCache(await storage.open(NAME), "");
    } catch (error) {
      return new FileCache(undefined, String(error));
    }
  }

  /** The kept file; `undefined` if there is none. */
  async find(url: string): Promise<Response | undefined> {
    try {
      return await this.#cache?.match(url, { ignoreVary: true });
    } catch {
      return undefined;
    }
  }

  /** Starts keeping a file that is `length` bytes long. */
  keep(url: string, length: number | undefined, skipped: Skipped): CacheWriter | undefined {
    if (this.#cache) return new CacheWriter(this.#cache, url, length, skipped);
    skipped(this.#absent);
    return undefined;
  }

  /** Keeps that there is no such file, as a file without bytes. */
  async keepAbsent(url: string): Promise<void> {
    if (this.#cache) await new CacheWriter(this.#cache, url, 0, () => {}).close();
  }

  /** Drops a file, for instance one that proved to be damaged. */
  async drop(url: string): Promise<void> {
    try {
      await this.#cache?.delete(url);
    } catch {
      // A cache that cannot delete cannot be helped from here; the file is checked again whenever it is read.
    }
  }
}

/** A file on its way into the cache, chunk by chunk; the entry appears only when `close` is reached. */
export class CacheWriter {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #stored: Promise<void>;
  #open = true;

  constructor(cache: Cache, url: string, length: number | undefined, skipped: Skipped) {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const headers = length === undefined ? {} : { "content-length": String(length) };
    this.#writer = writable.getWriter();
    this.#writer.closed.catch(() => {});
    this.#stored = cache.put(url, new Response(readable as ReadableStream<BufferSource>, { headers })).catch((error: unknown) => {
      if (this.#open) skipped(error instanceof Error ? error.message || error.name : String(error));
      this.#open = false;
    });
  }

  /** Waits until the cache has taken the chunk, so that no second copy of the file piles up in memory. */
  async write(chunk: Uint8Array): Promise<void> {
    // A cache that gave up (quota) reads no further: waiting for the write alone would be for ever.
    if (this.#open) await Promise.race([this.#writer.write(chunk).catch(() => {}), this.#stored]);
  }

  /** Completes the entry. */
  async close(): Promise<void> {
    if (this.#open) await Promise.race([this.#writer.close().catch(() => {}), this.#stored]);
    await this.#stored;
  }

  /** Leaves no entry behind. */
  abort(reason: unknown): void {
    this.#open = false;
    this.#writer.abort(reason).catch(() => {});
  }
}
