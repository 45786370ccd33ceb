// One file of a base model on its way in: from the cache, the network or a Blob, checked for length and hash, kept in the cache.

import type { CacheWriter } from "./cache.js";
import { Ia3Error } from "./errors.js";
import { announcedLength, chunksOf, join } from "./http.js";

/** What a download reports to while it runs. */
export interface Watcher {
  add(bytes: number): void;
  done(): void;
}

/** An opened file: its size is known, its bytes are still to come. */
export class Download {
  readonly file: string;
  /** Whether the bytes come from the cache. */
  readonly cached: boolean;
  /** Bytes in all, where known. */
  readonly length: number | undefined;
  readonly #body: ReadableStream<Uint8Array>;
  /** Hidden headers may hide a compression, and then the announced length is not the one that counts. */
  readonly #lengthIsExact: boolean;

  private constructor(file: string, body: ReadableStream<Uint8Array>, length: number | undefined, cached: boolean, exact: boolean) {
    this.file = file;
    this.cached = cached;
    this.length = length;
    this.#body = body;
    this.#lengthIsExact = exact;
  }

  static ofBlob(file: string, blob: Blob): Download {
    return new Download(file, blob.stream(), blob.size, false, true);
  }

  static ofResponse(file: string, response: Response, cached: boolean): Download {
    const body = response.body ?? new Blob().stream();
    return new Download(file, body, announcedLength(response), cached, response.type !== "cors");
  }

  /** The bytes in order. What `keeper` has taken becomes a cache entry only if all of them came. */
  async *chunks(watcher: Watcher, keeper: CacheWriter | undefined, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    let complete = false;
    try {
      for await (const chunk of this.#received(signal)) {
        watcher.add(chunk.length);
        const kept = keeper?.write(chunk);
        yield chunk;
        await kept;
      }
      complete = true;
    } finally {
      if (!complete) keeper?.abort(signal.reason);
    }
    await keeper?.close();
    watcher.done();
  }

  /** The bytes in one piece, checked against a SHA-256 in hex. */
  async bytes(watcher: Watcher, keeper: CacheWriter | undefined, signal: AbortSignal, sha256: string | undefined): Promise<Uint8Array> {
    const bytes = await join(this.chunks(watcher, keeper, signal));
    if (sha256 !== undefined) await checkHash(this.file, bytes, sha256);
    return bytes;
  }

  /** Lets go of a file that is not read. */
  async cancel(): Promise<void> {
    if (!this.#body.locked) await this.#body.cancel().catch(() => {});
  }

  async *#received(signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    let received = 0;
    try {
      for await (const chunk of chunksOf(this.#body)) {
        signal.throwIfAborted();
        received += chunk.length;
        yield chunk;
      }
    } catch (cause) {
      signal.throwIfAborted();
      throw cause instanceof Ia3Error ? cause : this.#broken("file-truncated", received, "the connection broke", cause);
    }
    signal.throwIfAborted();
    this.#checkLength(received);
  }

  #checkLength(received: number): void {
    if (this.length === undefined || received === this.length) return;
    if (received < this.length) throw this.#broken("file-truncated", received, "the file ended early");
    if (this.#lengthIsExact) throw this.#broken("file-length", received, "the file is longer than announced");
  }

  #broken(code: "file-truncated" | "file-length", received: number, what: string, cause?: unknown): Ia3Error {
    const text = `${this.file}: ${what} (${received} of ${this.length ?? "an unknown number of"} bytes); load again`;
    return new Ia3Error(code, text, { file: this.file, expected: this.length ?? null, actual: received }, { cause });
  }
}

async function checkHash(file: string, bytes: Uint8Array, expected: string): Promise<void> {
  if (!globalThis.crypto?.subtle) {
    throw new Ia3Error("bad-option", `sha256 of ${file} cannot be checked on an insecure page: use https or localhost, or leave it out`);
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  const actual = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (actual === expected.toLowerCase()) return;
  throw new Ia3Error("file-hash", `${file} has SHA-256 ${actual} and not ${expected}: it is damaged or another version`, {
    file,
    expected,
    actual,
  });
}
