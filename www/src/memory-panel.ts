/** The memory panel: what the model and the adapters take now, and the most it has been. */

import { element, need } from "./dom.js";
import { bytes } from "./format.js";
import type { Workbench } from "./workbench.js";

/** The part of the workbench that has the model. */
type Holder = Pick<Workbench<never>, "model">;

/** Shows the memory of the workbench's model. */
export class MemoryPanel {
  /** The largest sum seen since the page was opened, in bytes. */
  peakBytes = 0;
  readonly #workbench: Holder;

  constructor(workbench: Holder) {
    this.#workbench = workbench;
  }

  /** Asks the library and shows its answer. */
  show(): void {
    const model = this.#workbench.model;
    if (!model) return;
    const { weightBytes, activationBytes, adapterBytes, wasmBytes, gpuBytes } = model.memory();
    const total = wasmBytes + gpuBytes; // weights and activations lie in one of the two
    this.peakBytes = Math.max(this.peakBytes, total);
    const facts: [string, number][] = [
      ["In use", total], ["Most so far", this.peakBytes], ["Model weights", weightBytes], ["Activations", activationBytes], ["Adapters", adapterBytes], ["WebAssembly memory", wasmBytes],
    ];
    need("memory", HTMLDListElement).replaceChildren(...facts.map(([name, value]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, bytes(value)))));
  }
}
