// Names of base models and adapters made into absolute URLs.

import { Ia3Error } from "./errors.js";
import { byPath, oneFolder, type Paths } from "./files.js";
import { INDEX, MODEL_FILES, type ResolvedSource } from "./protocol.js";
import type { ModelSource } from "./types.js";

const HUB = "https://huggingface.co";

/** Where ids are looked up. */
export interface HubOptions {
  baseUrl?: string | undefined;
  revision?: string | undefined;
}

/** A folder of files on a server. */
export interface RemoteFolder {
  /** Ends with `/`. */
  url: string;
  /** The Hub id and revision, where that is what was named. */
  modelId: string | null;
  revision: string | null;
}

/** Whether a string names a place by URL and not by Hub id. */
export function isUrl(source: string): boolean {
  return /^(https?:\/\/|\.{0,2}\/)/i.test(source);
}

/** The folder that a Hub id or a URL stands for. */
export function remoteFolder(source: string, { baseUrl = HUB, revision = "main" }: HubOptions): RemoteFolder {
  if (isUrl(source)) return { url: absolute(withSlash(source)), modelId: null, revision: null };
  if (!/^[\w.-]+(\/[\w.-]+)?$/.test(source)) {
    throw new Ia3Error("bad-option", `"${source}" is neither a Hub id (owner/name) nor a URL (http://, https://, /, ./ or ../)`);
  }
  // A revision may hold slashes (refs/pr/1), which the Hub wants escaped.
  const path = `${source}/resolve/${encodeURIComponent(revision)}/`;
  return { url: absolute(withSlash(baseUrl) + path), modelId: source, revision };
}

/** The files of a base model. */
export function modelSource(source: ModelSource, options: HubOptions): ResolvedSource {
  if (typeof source === "string") {
    const { url, modelId, revision } = remoteFolder(source, options);
    return { name: modelId ?? url, modelId, revision, folder: url };
  }
  const local = Object.entries(localFolder(byPath(source))).filter(([file]) => /^[^/]+\.(json|jinja|safetensors)$/.test(file));
  // Bytes become a Blob, so that handing them to a worker (again, after a crash) copies a handle and not the weights.
  const folder = Object.fromEntries(local.map(([file, contents]) => [file, asBlob(contents)]));
  return { name: "files", modelId: null, revision: null, folder };
}

/** Where a file of a base model is: its URL or its contents. */
export function placeOf({ folder }: ResolvedSource, file: string): string | Blob {
  if (typeof folder === "string") return folder + file;
  const found = Object.hasOwn(folder, file) ? folder[file] : undefined;
  if (found) return found;
  throw new Ia3Error("file-unreachable", `${file} is missing among the files given: add it`, { missing: [file] });
}

/** Weights in one file come before those in shards. */
function localFolder(paths: Paths<Blob | Uint8Array>): Paths<Blob | Uint8Array> {
  const [config, tokenizer, weights] = MODEL_FILES;
  const has = (name: string) => Object.keys(paths).some((path) => path.split("/").at(-1) === name);
  return oneFolder(paths, [config, tokenizer, !has(weights) && has(INDEX) ? INDEX : weights], "file-unreachable");
}

function asBlob(contents: Blob | Uint8Array): Blob {
  return contents instanceof Blob ? contents : new Blob([contents as Uint8Array<ArrayBuffer>]);
}

/** A URL made absolute on the page: a worker would resolve it against its own script. */
export function absolute(url: string): string {
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  try {
    return new URL(url, base).href;
  } catch {
    throw new Ia3Error("bad-option", `"${url}" is not a URL${base === undefined ? ", and there is no page to resolve it against" : ""}`);
  }
}

function withSlash(url: string): string {
  return url.endsWith("/") ? url : `${url}/`;
}
