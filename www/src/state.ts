/** What a page knows: examples, adapters and what it is busy with. One object, made where the page starts and handed to every panel. */

/** Which examples: those to train on or those to measure with. */
export type Split = "train" | "test";

/** Figures of a finished training run, kept for the report. */
export interface RunFigures {
  trainExamples: number;
  steps: number;
  msPerStep: number;
  lossFirst: number;
  lossLast: number;
}

/** One adapter with its saved files: it outlives the model, which is made anew when the device changes or what is asked of it. */
export interface SavedAdapter {
  name: string;
  /** File name to content, as `Model.saveAdapter` gives them. */
  files: Record<string, Uint8Array>;
  origin: "trained here" | "loaded";
  /** Known once the adapter has been in a model. */
  trainableParameters?: number;
  run?: RunFigures;
}

/** What the page can be busy with. */
export type Task = "loading" | "training" | "answering" | "measuring" | "adapters";

/** Everything at one moment; replaced as a whole by every update. */
export interface Data<Example, Adapter> {
  train: Example[];
  test: Example[];
  adapters: Adapter[];
  /** Name of the adapter that answers; undefined while there is none. */
  active: string | undefined;
  busy: Task | undefined;
}

/** The data and those who want to hear of changes. */
export class State<Example, Adapter extends SavedAdapter> {
  data: Data<Example, Adapter> = { train: [], test: [], adapters: [], active: undefined, busy: undefined };
  readonly #listeners: ((changed: Partial<Data<Example, Adapter>>) => void)[] = [];

  /** Calls `listener` after every update with what that update set. */
  subscribe(listener: (changed: Partial<Data<Example, Adapter>>) => void): void {
    this.#listeners.push(listener);
  }

  update(change: Partial<Data<Example, Adapter>>): void {
    this.data = { ...this.data, ...change };
    for (const listener of this.#listeners) listener(change);
  }

  active(): Adapter | undefined {
    return this.find(this.data.active);
  }

  find(name: string | undefined): Adapter | undefined {
    return this.data.adapters.find((adapter) => adapter.name === name);
  }

  /** Adds an adapter or replaces the one of the same name, and makes it the active one. */
  keep(adapter: Adapter): void {
    const known = this.find(adapter.name);
    const adapters = known
      ? this.data.adapters.map((each) => (each === known ? adapter : each))
      : [...this.data.adapters, adapter];
    this.update({ adapters, active: adapter.name });
  }

  /** Has the browser ask before the page is left, while a training runs or what it made is not saved anywhere else. */
  guard(): void {
    addEventListener("beforeunload", (event) => {
      if (this.data.adapters.some((adapter) => adapter.run) || this.data.busy === "training") event.preventDefault();
    });
  }
}
