// How far a download is: per-file events and the sum over all files, in the shapes of transformers.js.

import type { ProgressEvent } from "./types.js";

/** Milliseconds between two progress events: a local file arrives in thousands of chunks, and each event crosses a thread. */
const INTERVAL = 50;

/** Collects what came in and tells it at a bearable rate. */
export class Progress {
  readonly #name: string;
  readonly #emit: (event: ProgressEvent) => void;
  readonly #files: Record<string, { loaded: number; total: number }> = {};
  /** Bytes of files that are known of and not found yet. */
  #expected = 0;
  #told = -Infinity;

  /** `name` is what events call the source. */
  constructor(name: string, emit: (event: ProgressEvent) => void) {
    this.#name = name;
    this.#emit = emit;
  }

  /** A file is looked for. */
  initiate(file: string): void {
    this.#emit({ status: "initiate", name: this.#name, file });
  }

  /** A file was found; `total` is 0 where its size is not known. */
  download(file: string, total: number, cached: boolean): void {
    this.#files[file] = { loaded: 0, total };
    this.#emit({ status: "download", name: this.#name, file, cached });
  }

  /** So many bytes will come in files that are not found yet. */
  expect(bytes: number): void {
    this.#expected = bytes;
  }

  /** `bytes` more of a file came in. */
  add(file: string, bytes: number): void {
    const entry = this.#files[file];
    if (!entry) return;
    entry.loaded += bytes;
    if (performance.now() - this.#told >= INTERVAL) this.#tell(file);
  }

  /** A file is complete. */
  done(file: string): void {
    const entry = this.#files[file];
    if (entry) entry.total = entry.loaded;
    this.#tell(file);
    this.#emit({ status: "done", name: this.#name, file });
  }

  /** A file is not kept in the cache. */
  skipped(file: string, reason: string): void {
    this.#emit({ status: "cache-skipped", name: this.#name, file, reason });
  }

  #tell(file: string): void {
    this.#told = performance.now();
    const { loaded, total } = this.#files[file] ?? { loaded: 0, total: 0 };
    this.#emit({ status: "progress", name: this.#name, file, progress: percentage(loaded, total), loaded, total });
    const known = Object.values(this.#files).filter((entry) => entry.total > 0);
    const sum = (of: "loaded" | "total") => known.reduce((all, entry) => all + entry[of], 0);
    const all = sum("total") + this.#expected;
    this.#emit({
      status: "progress_total",
      name: this.#name,
      progress: percentage(sum("loaded"), all),
      loaded: sum("loaded"),
      total: all,
      files: structuredClone(this.#files),
    });
  }
}

function percentage(loaded: number, total: number): number {
  // A server that compresses announces fewer bytes than arrive.
  return total > 0 ? Math.min(100, (100 * loaded) / total) : 0;
}
