// A file read from its start for as long as somebody wants more of it: part after part, not the whole.

import { Ia3Error } from "./errors.js";
import { chunksOf, request, wholeLength, type Fetch } from "./http.js";

/** Bytes of the first part. Every later one is as long as all before it together. */
const FIRST = 1024 * 1024;

/** The parts of one file. */
export class Parts {
  readonly #place: string | Blob;
  readonly #fetch: Fetch;
  readonly #signal: AbortSignal;
  /** Bytes of the whole file, once a part has come and where the server tells. */
  size: number | undefined;

  /** `place` is a URL or the contents. */
  constructor(place: string | Blob, fetch: Fetch, signal: AbortSignal) {
    this.#place = place;
    this.#fetch = fetch;
    this.#signal = signal;
  }

  /** The bytes in order. A part is fetched when its bytes are asked for. */
  async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let from = 0, wanted = FIRST; this.size === undefined || from < this.size; wanted = from) {
      let received = 0;
      for await (const chunk of chunksOf(await this.#part(from, from + wanted))) {
        received += chunk.length;
        yield chunk;
      }
      from += received;
      // The end of a file whose size nobody told, or a server that sent it whole.
      if (received !== wanted) return;
    }
  }

  async #part(from: number, to: number): Promise<ReadableStream<Uint8Array>> {
    const place = this.#place;
    if (typeof place !== "string") {
      this.size = place.size;
      return place.slice(from, to).stream();
    }
    const response = await request(this.#fetch, place, { signal: this.#signal, headers: { range: `bytes=${from}-${to - 1}` } });
    if (from > 0 && response.status !== 206) {
      await response.body?.cancel();
      throw new Ia3Error("file-unreachable", `${place} was sent in parts at first and then whole: try again later`, { url: place, status: response.status });
    }
    this.size = wholeLength(response);
    return response.body ?? new Blob().stream();
  }
}
