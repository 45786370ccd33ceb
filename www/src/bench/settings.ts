/** The page's controls: filled from its address (device, only, runs, budget, model, baseUrl, batchSize, maxLength), read for a run. */

import { need } from "../dom.js";
import { numberIn } from "../settings.js";
import type { Request } from "./job.js";
import type { Kind, Place } from "./row.js";

/** Parameter of the address to the field it fills. */
const FIELDS = {
  model: "model-id", baseUrl: "base-url", runs: "runs", budget: "budget", batchSize: "batch-size", maxLength: "max-length",
};

/** Values of the boxes to the places they stand for. */
const PLACES: Readonly<Record<string, Place>> = {
  wasm: { device: "wasm", activationDtype: "f32" },
  webgpu: { device: "webgpu", activationDtype: "f32" },
  "webgpu-f16": { device: "webgpu", activationDtype: "f16" },
};

/** Puts what the address says into the controls, so that a person sees and can change it; what this browser lacks cannot be chosen. */
export function fillSettings(search: string): void {
  const given = new URLSearchParams(search);
  for (const [name, id] of Object.entries(FIELDS)) {
    const value = given.get(name);
    if (value !== null) need(id, HTMLInputElement).value = value;
  }
  tick("device", given.get("device"));
  tick("kind", given.get("only"));
  if (!("gpu" in navigator)) {
    forbid(["webgpu", "webgpu-f16"], "no-webgpu");
    return;
  }
  void hasHalf().then((can) => {
    if (!can) forbid(["webgpu-f16"], "no-half");
  });
}

/** Whether kernels of the GPU that the package takes may read and write floats of 16 bits. */
async function hasHalf(): Promise<boolean> {
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" }).catch(() => null);
  return adapter?.features.has("shader-f16") === true;
}

function forbid(places: string[], reason: string): void {
  for (const box of boxes("device")) if (places.includes(box.value)) box.checked = !(box.disabled = true);
  need(reason, HTMLParagraphElement).hidden = false;
}

/** What the controls say now. */
export function readSettings(): Request {
  const places = ticked("device").flatMap((value) => PLACES[value] ?? []);
  const kinds = ticked("kind") as Kind[];
  if (places.length === 0 || kinds.length === 0) throw new Error("Nothing is chosen. Choose at least one device and one thing to measure.");
  return {
    places,
    kinds,
    shape: { batchSize: positive("batch-size"), maxLength: positive("max-length") },
    limits: { runs: positive("runs"), budgetMs: positive("budget") * 1000 },
    model: need("model-id", HTMLInputElement).value.trim(),
    baseUrl: need("base-url", HTMLInputElement).value.trim(),
  };
}

/** Ticks the boxes of a comma-separated list; a full row name such as `encoder-train-8x64` stands for its kind. */
function tick(name: string, list: string | null): void {
  if (list === null) return;
  for (const box of boxes(name)) box.checked = list.split(",").some((wanted) => wanted.startsWith(box.value));
}

function ticked(name: string): string[] {
  return boxes(name).filter((box) => box.checked).map((box) => box.value);
}

function boxes(name: string): HTMLInputElement[] {
  return [...document.querySelectorAll<HTMLInputElement>(`input[name="${name}"]`)];
}

function positive(id: string): number {
  const value = numberIn(id);
  if (value !== undefined && value >= 1) return Math.floor(value);
  throw new Error(`"${need(id, HTMLInputElement).labels?.[0]?.textContent?.trim()}" needs a number of at least 1.`);
}
