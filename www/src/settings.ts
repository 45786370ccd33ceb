/** Settings given in the page's address: device, model, baseUrl, revision, task, steps, objective, batchSize, learningRate, seed. */

import { need } from "./dom.js";

/** Settings that have no control on the page. */
export interface Settings {
  /** Address of the task file that "Load sample task" loads. */
  task: string;
  /** Revision of a Hub model; the library's default when absent. */
  revision: string | undefined;
}

/** Reads the address and puts what it says into the page's own controls, so that a person sees and can change it. */
export function readSettings(search: string): Settings {
  const given = new URLSearchParams(search);
  const fill = (id: string, name: string, fallback = "") => {
    need(id, HTMLInputElement).value = given.get(name) ?? fallback;
  };
  const choose = (id: string, name: string) => {
    const select = need(id, HTMLSelectElement);
    const wanted = given.get(name);
    if ([...select.options].some((option) => option.value === wanted)) select.value = wanted ?? "";
  };
  choose("device-choice", "device");
  choose("objective", "objective");
  fill("model-id", "model", "sentence-transformers/all-MiniLM-L6-v2");
  fill("base-url", "baseUrl");
  fill("steps", "steps");
  fill("batch-size", "batchSize");
  fill("learning-rate", "learningRate");
  fill("seed", "seed");
  return { task: given.get("task") ?? "data/sample.json", revision: given.get("revision") ?? undefined };
}

/** The number in an input, or undefined when it is empty or no number. */
export function numberIn(id: string): number | undefined {
  const value = need(id, HTMLInputElement).valueAsNumber;
  return Number.isFinite(value) ? value : undefined;
}
