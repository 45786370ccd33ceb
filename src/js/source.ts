// Names of base models and adapters made into absolute URLs.

import { Ia3Error } from "./errors.js";
import { byPath, nameOf, oneFolder, type Paths } from "./files.js";
import { INDEX, MODEL_FILES, type ResolvedSource } from "./protocol.js";
import type { ModelSource, ModelSourceOptions } from "./types.js";

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
export function modelSource(source: ModelSource, options: ModelSourceOptions): ResolvedSource {
  if (typeof source === "string") return remoteSource(source, options);
  const local = { name: "files", modelId: null, revision: null };
  const paths = byPath(source);
  const path = localGguf(Object.keys(paths), options.ggufFile);
  // Bytes become a Blob, so that handing them to a worker (again, after a crash) copies a handle and not the weights.
  if (path !== undefined) return { ...local, folder: {}, gguf: { file: nameOf(path), place: asBlob(paths[path]!) } };
  const files = Object.entries(localFolder(paths)).filter(([file]) => /^[^/]+\.(json|jinja|safetensors)$/.test(file));
  return { ...local, folder: Object.fromEntries(files.map(([file, contents]) => [file, asBlob(contents)])), gguf: null };
}

/** Where a file of a base model is: its URL or its contents. */
export function placeOf({ folder, gguf }: ResolvedSource, file: string): string | Blob {
  if (file === gguf?.file) return gguf.place;
  if (typeof folder === "string") return folder + file;
  const found = Object.hasOwn(folder, file) ? folder[file] : undefined;
  if (found) return found;
  throw new Ia3Error("file-unreachable", `${file} is missing among the files given: add it`, { missing: [file] });
}

function remoteSource(source: string, { ggufFile, ...hub }: ModelSourceOptions): ResolvedSource {
  const url = isUrl(source) ? new URL(absolute(source)) : undefined;
  if (url && isGguf(url.pathname)) {
    if (ggufFile !== undefined) throw badGguf(`names a file in a folder, and ${source} is a file itself: leave it out, or give the folder's URL`, ggufFile);
    const folder = new URL(".", url).href;
    return { name: url.href, modelId: null, revision: null, folder, gguf: { file: decoded(nameOf(url.pathname)), place: url.href } };
  }
  const { url: folder, modelId, revision } = remoteFolder(source, hub);
  const gguf = ggufFile === undefined ? null : { file: ggufFile, place: folder + escaped(ggufFile) };
  return { name: modelId ?? folder, modelId, revision, folder, gguf };
}

/** The path of the GGUF among files that were given, if there is one. */
function localGguf(paths: readonly string[], wanted: string | undefined): string | undefined {
  const all = paths.filter(isGguf);
  const found = wanted === undefined ? all : all.filter((path) => `/${path}`.endsWith(`/${wanted}`));
  if (found.length === 0 && wanted !== undefined) {
    throw new Ia3Error("file-unreachable", `${wanted} is missing among the files given: add it`, { missing: [wanted] });
  }
  if (found.length <= 1) return found[0];
  const text = `does not name one of the ${found.length} GGUF files (${found.slice(0, 20).join(", ")}): name the one that is the model; one that is split into several has to be joined first (llama-gguf-split --merge)`;
  throw new Ia3Error("bad-option", `option ggufFile ${text}`, { option: "ggufFile", files: found });
}

function isGguf(path: string): boolean {
  return /\.gguf$/i.test(path);
}

/** A path below a folder as a part of its URL. */
function escaped(path: string): string {
  const parts = path.split("/");
  if (!isGguf(path) || parts.some((part) => part === "" || part === "." || part === "..")) throw badGguf("must be a file in the folder, and end in .gguf", path);
  return parts.map(encodeURIComponent).join("/");
}

function badGguf(text: string, ggufFile: string): Ia3Error {
  return new Ia3Error("bad-option", `option ggufFile ${text}`, { option: "ggufFile", value: ggufFile });
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Weights in one file come before those in shards. */
function localFolder(paths: Paths<Blob | Uint8Array>): Paths<Blob | Uint8Array> {
  const [config, tokenizer, weights] = MODEL_FILES;
  const has = (name: string) => Object.keys(paths).some((path) => nameOf(path) === name);
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
