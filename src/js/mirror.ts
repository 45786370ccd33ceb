// The page's copy of every adapter: what answers at once, and what a fresh engine is given after a crash.

import { Ia3Error } from "./errors.js";
import type { Ask } from "./host.js";
import type { AdapterRecord } from "./protocol.js";
import type { AdapterFiles, AdapterOptions, TrainableParameters } from "./types.js";

interface Entry {
  record: AdapterRecord;
  /** The options of an adapter that is not trained yet: made anew, it starts like the first time. */
  fresh: AdapterOptions | undefined;
}

/** The adapters of one model by name, in the order in which they came. */
export class Mirror {
  readonly #entries = new Map<string, Entry>();

  get names(): string[] {
    return [...this.#entries.keys()];
  }

  /** A copy of an adapter's files. */
  files(name: string): AdapterFiles {
    const { files } = this.#entry(name).record;
    return Object.fromEntries(Object.entries(files).map(([file, bytes]) => [file, bytes.slice()]));
  }

  trainable(name: string): TrainableParameters {
    return { ...this.#entry(name).record.trainable };
  }

  /** Throws `unknown-adapter` unless all these exist. */
  require(names: readonly string[]): void {
    for (const name of names) this.#entry(name);
  }

  set(name: string, record: AdapterRecord, fresh?: AdapterOptions): void {
    this.#entries.set(name, { record, fresh });
  }

  delete(name: string): void {
    this.#entries.delete(name);
  }

  /** Gives every adapter to an engine that has none. */
  async restore(ask: Ask): Promise<void> {
    for (const [name, { record, fresh }] of this.#entries) {
      await (fresh ? ask("addAdapter", { name, options: fresh }) : ask("loadAdapter", { name, files: record.files }));
    }
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry) return entry;
    const known = this.names.length > 0 ? `the adapters are ${this.names.join(", ")}` : "there are none yet: add or load one";
    throw new Ia3Error("unknown-adapter", `no adapter is named "${name}"; ${known}`, { adapter: name, known: this.names });
  }
}
