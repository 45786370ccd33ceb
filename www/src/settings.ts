/** Settings given in the page's address: device, model, ggufFile, baseUrl, revision, task, steps, objective, batchSize, learningRate, maxLength, maxNewTokens, seed. */

import { need } from "./dom.js";

/** Settings that have no control on the page. */
export interface Settings {
  /** Address of the task file that "Load sample task" loads. */
  task: string;
  /** Revision of a Hub model; the library's default when absent. */
  revision: string | undefined;
}

/** What a page works with where its address does not say otherwise. */
export interface Defaults {
  model: string;
  ggufFile?: string;
  /** Address of the sample task. */
  task: string;
}

/** The page's controls by the name that their setting has in the address; a page may lack some. */
const CONTROLS = {
  device: "device-choice", baseUrl: "base-url", objective: "objective", steps: "steps", batchSize: "batch-size",
  learningRate: "learning-rate", maxLength: "max-length", maxNewTokens: "max-new-tokens", seed: "seed",
} as const;

/** Reads the address and puts what it says into the page's own controls, so that a person sees and can change it. */
export function readSettings(search: string, { model, ggufFile = "", task }: Defaults): Settings {
  const given = new URLSearchParams(search);
  need("model-id", HTMLInputElement).value = given.get("model") ?? model;
  need("gguf-file", HTMLInputElement).value = given.get("ggufFile") ?? (given.has("model") ? "" : ggufFile);
  for (const [name, id] of Object.entries(CONTROLS)) {
    const control = document.getElementById(id);
    const wanted = given.get(name);
    if (control instanceof HTMLInputElement) control.value = wanted ?? control.defaultValue;
    if (control instanceof HTMLSelectElement && [...control.options].some(({ value }) => value === wanted)) control.value = wanted ?? "";
  }
  return { task: given.get("task") ?? task, revision: given.get("revision") ?? undefined };
}

/** The number in an input, or undefined when it is empty or no number, or the page has no such input. */
export function numberIn(id: string): number | undefined {
  const value = document.querySelector<HTMLInputElement>(`#${id}`)?.valueAsNumber;
  return Number.isFinite(value) ? value : undefined;
}
