/** The model panel: device and why, where the model comes from, loading with progress and cancel. */

import { type EstimateOptions, type LoadOptions, Model } from "ia3-web";
import { need, onFiles, onPress, setAvailable } from "./dom.js";
import { hideError } from "./error-banner.js";
import { bytes, sentence } from "./format.js";
import type { Runner } from "./runner.js";
import type { Settings } from "./settings.js";
import type { SavedAdapter, State } from "./state.js";
import { type ModelRequest, Workbench, type WorkbenchEvents } from "./workbench.js";

/** What models a page works with. */
export interface ModelKind<Needs> {
  /** How a model that meets these needs is loaded. */
  load: (needs: Needs) => LoadOptions;
  /** What a model that the button loads has to meet. */
  needs: () => Needs;
  /** What the model's size is estimated for. */
  estimate: EstimateOptions;
  /** The files to choose for a model that does not come from a Hub, in words. */
  files: string;
  /** Hub ids of GGUFs and those of the models that they were made of: the latter is what PEFT can load. */
  originals: Readonly<Record<string, string>>;
}

const DEVICES = { webgpu: "GPU", wasm: "CPU" } as const;

/** Starts the panel and makes the workbench whose model it shows. The engine's files are fetched after `offline`, so that they are kept. */
export function startDevicePanel<Needs, Example, Adapter extends SavedAdapter>(
  state: State<Example, Adapter>, runner: Runner, settings: Settings, offline: Promise<void>, kind: ModelKind<Needs>,
): Workbench<Needs> {
  const load = need("load-model", HTMLButtonElement);
  const cancel = need("cancel-load", HTMLButtonElement);
  const bar = need("model-progress", HTMLProgressElement);
  const status = need("model-status", HTMLParagraphElement);
  const tag = need("model-tag", HTMLSpanElement);
  let picked: File[] = [];
  let estimated = ""; // the model whose size is shown
  let place = ""; // where the files of this load come from
  let skipped = ""; // why they could not be kept

  const fromFiles = () => need("source", HTMLDetailsElement).querySelector<HTMLInputElement>("input[value=files]")?.checked === true;

  const request = (): ModelRequest => {
    const device = need("device-choice", HTMLSelectElement).value as "auto" | "webgpu" | "wasm";
    if (fromFiles()) return { source: picked, options: { device } };
    const base = need("base-url", HTMLInputElement).value.trim();
    const ggufFile = need("gguf-file", HTMLInputElement).value.trim();
    const source = need("model-id", HTMLInputElement).value.trim();
    const modelId = kind.originals[source];
    return {
      source,
      options: {
        device,
        ...(base && { baseUrl: new URL(base, document.baseURI).href.replace(/\/$/, "") }),
        ...(settings.revision && { revision: settings.revision }),
        ...(ggufFile && { ggufFile }),
        ...(modelId && { modelId }),
      },
    };
  };

  /** Before any weight is fetched: how much will come and whether it fits. Asked once for each model. */
  const loading = async ({ source, options }: ModelRequest, signal: AbortSignal) => {
    if (Array.isArray(source) && source.length === 0) {
      throw new Error(`No model files are chosen. Choose ${kind.files}, or load from a Hub.`);
    }
    delete need("model-card", HTMLElement).dataset.done;
    tag.textContent = "Loading";
    skipped = "";
    status.textContent = "Reading the model's sizes";
    bar.removeAttribute("value");
    bar.hidden = false;
    await offline;
    const asked = JSON.stringify([nameOf(source), placeOf(options)]);
    if (asked === estimated) return;
    // Offline there is no answer, but the cache may have the model all the same; what is really wrong, loading says.
    const size = await Model.estimate(source, { ...kind.estimate, ...placeOf(options), signal }).catch(() => undefined);
    signal.throwIfAborted();
    if (!size) return;
    estimated = asked;
    need("model-size", HTMLParagraphElement).textContent = `${bytes(size.downloadBytes)} to download once, about ${bytes(size.memoryBytes)} of memory${size.fits ? "." : ": more than this device seems to have. It may still work; close other tabs first."}`;
  };

  const progress: WorkbenchEvents<Needs>["progress"] = (event) => {
    if (event.status === "download") place = event.cached ? "from this browser's cache" : "from the network";
    if (event.status === "progress_total" && event.total > 0) bar.value = event.loaded / event.total;
    if (event.status === "progress") status.textContent = `${event.file} ${place}: ${bytes(event.loaded)} of ${bytes(event.total)}`;
    if (event.status === "cache-skipped") skipped = `It could not be kept for next time (${event.reason}).`;
    if (event.status === "warm-up") {
      bar.value = event.loaded / event.total;
      status.textContent = `Preparing the ${DEVICES[event.device]}: ${event.loaded} of ${event.total} programs`;
    }
  };

  const ready = (model: Model) => {
    bar.hidden = true;
    tag.textContent = "Ready";
    need("model-card", HTMLElement).dataset.done = "";
    status.textContent = `Ready: ${nameOf(request().source)}, ${place || "from your files"}. ${skipped}`.trim();
    const { threads } = model.deviceInfo;
    need("device-kind", HTMLSpanElement).textContent = `Runs on the ${DEVICES[model.device]}${threads > 1 ? `, ${threads} threads` : ""}`;
    need("device", HTMLElement).textContent = model.device;
    need("device-reason", HTMLParagraphElement).textContent = sentence(model.deviceInfo.reason);
  };

  const workbench = new Workbench({ request, load: kind.load, loading, progress, ready });

  onPress(load, () => void runner.run("loading", "The model did not load", async (signal) => {
    workbench.close(); // the button always loads: after a failure, too
    await workbench.open(kind.needs(), signal);
  }));
  cancel.addEventListener("click", () => runner.stop());

  need("source", HTMLDetailsElement).addEventListener("change", () => {
    for (const part of document.querySelectorAll<HTMLElement>("[data-source]")) {
      part.hidden = (part.dataset.source === "files") !== fromFiles();
    }
  });
  onFiles(need("model-files", HTMLInputElement), (files) => {
    hideError(); // most likely about files that were missing
    const replaced = (old: File) => files.some(({ name }) => name === old.name || (isGguf(name) && isGguf(old.name)));
    picked = [...picked.filter((file) => !replaced(file)), ...files]; // one by one works as well
    need("model-files-state", HTMLSpanElement).textContent = picked.map((file) => `${file.name} (${bytes(file.size)})`).join(", ");
  });

  state.subscribe(({ busy }) => {
    setAvailable(load, !state.data.busy);
    cancel.hidden = state.data.busy !== "loading";
    const failed = busy === undefined && !workbench.model && !bar.hidden;
    if (!failed) return;
    bar.hidden = true;
    tag.textContent = "Not loaded";
    status.textContent = "Not loaded. Parts that arrived stay in the cache; press Load model to try again.";
  });
  return workbench;
}

/** The options that say where files are. */
function placeOf({ device: _device, modelId: _modelId, ...place }: ModelRequest["options"]): Pick<EstimateOptions, "baseUrl" | "revision" | "ggufFile"> {
  return place;
}

function isGguf(name: string): boolean {
  return /\.gguf$/i.test(name);
}

function nameOf(source: string | File[]): string {
  return typeof source === "string" ? source : source.map((file) => file.name).join(", ");
}
