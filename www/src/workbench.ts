/** The one model of the page, made for a set of labels and made anew (from the cache) when they change. */

import { Model, type LoadOptions, type ProgressEvent } from "ia3-web";
import type { Adapter, Pooling } from "./state.js";

/** Where the model comes from and where it runs, as the model panel has it. */
export interface ModelRequest {
  source: string | File[];
  options: Pick<LoadOptions, "device" | "baseUrl" | "revision">;
}

/** What an answer needs: the label names, in the order of the head's rows, and how the head reads the encoder. */
export interface Classes {
  labels: string[];
  pooling: Pooling;
}

/** What the workbench asks of and tells the panel that shows the model. */
export interface WorkbenchEvents {
  request: () => ModelRequest;
  loading: (request: ModelRequest, signal: AbortSignal) => Promise<void>;
  progress: (event: ProgressEvent) => void;
  ready: (model: Model) => void;
}

/** Holds the model, and opens it where there is none that fits. */
export class Workbench {
  #model: Model | undefined;
  #key = "";
  #events: WorkbenchEvents;

  constructor(events: WorkbenchEvents) {
    this.#events = events;
  }

  /** The model if there is one, whatever its labels. */
  get model(): Model | undefined {
    return this.#model;
  }

  /** A model for these classes: the one there is when it fits, else a new one. With fewer than two labels it only embeds. */
  async open({ labels, pooling }: Classes, signal: AbortSignal): Promise<Model> {
    const request = this.#events.request();
    const key = JSON.stringify([labels, pooling, request.options, nameOf(request.source)]);
    if (this.#model && key === this.#key) return this.#model;
    this.close(); // before the new one: two models at once may not fit into memory
    await this.#events.loading(request, signal);
    const model = await Model.fromPretrained(request.source, {
      ...request.options,
      ...(labels.length > 1 ? { task: "text-classification", labels } : { task: "feature-extraction" }),
      pooling,
      signal,
      onProgress: this.#events.progress,
    });
    this.#model = model;
    this.#key = key;
    this.#events.ready(model);
    return model;
  }

  /** A model that has this adapter in it. */
  async use(adapter: Adapter, signal: AbortSignal): Promise<Model> {
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
