/** The one model of the page, made for what is asked of it and made anew (from the cache) when that changes. */

import { Model, type LoadOptions, type ProgressEvent } from "ia3-web";
import type { SavedAdapter } from "./state.js";

/** Where the model comes from and where it runs, as the model panel has it. */
export interface ModelRequest {
  source: string | File[];
  options: Pick<LoadOptions, "device" | "baseUrl" | "revision" | "ggufFile" | "modelId">;
}

/** What the workbench asks of and tells the panel that shows the model. */
export interface WorkbenchEvents<Needs> {
  request: () => ModelRequest;
  /** How a model that meets these needs is loaded. */
  load: (needs: Needs) => LoadOptions;
  loading: (request: ModelRequest, signal: AbortSignal) => Promise<void>;
  progress: (event: ProgressEvent) => void;
  ready: (model: Model) => void;
}

/** Holds the model, and opens it where there is none that meets the needs. */
export class Workbench<Needs> {
  #model: Model | undefined;
  #key = "";
  #events: WorkbenchEvents<Needs>;

  constructor(events: WorkbenchEvents<Needs>) {
    this.#events = events;
  }

  /** The model if there is one, whatever needs it meets. */
  get model(): Model | undefined {
    return this.#model;
  }

  /** A model that meets these needs: the one there is where it does, else a new one. */
  async open(needs: Needs, signal: AbortSignal): Promise<Model> {
    const { source, options } = this.#events.request();
    const load = { ...options, ...this.#events.load(needs) };
    const key = JSON.stringify([load, nameOf(source)]);
    if (this.#model && key === this.#key) return this.#model;
    this.close(); // before the new one: two models at once may not fit into memory
    await this.#events.loading({ source, options }, signal);
    const model = await Model.fromPretrained(source, { ...load, signal, onProgress: this.#events.progress });
    this.#model = model;
    this.#key = key;
    this.#events.ready(model);
    return model;
  }

  /** A model that has this adapter in it. */
  async use(adapter: SavedAdapter & Needs, signal: AbortSignal): Promise<Model> {
    const model = await this.open(adapter, signal);
    if (!model.adapters.includes(adapter.name)) await model.loadAdapter(adapter.name, adapter.files);
    return model;
  }

  /** Takes an adapter out of the model, if it is there. */
  async forget(name: string): Promise<void> {
    if (this.#model?.adapters.includes(name)) await this.#model.deleteAdapter(name);
  }

  close(): void {
    this.#model?.dispose();
    this.#model = undefined;
    this.#key = "";
  }
}

function nameOf(source: string | File[]): unknown {
  return typeof source === "string" ? source : source.map((file) => [file.name, file.size, file.lastModified]);
}
