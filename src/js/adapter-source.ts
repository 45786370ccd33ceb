// The files of a saved adapter, from wherever the caller has them.

import { OWN_FILES, PEFT_FILES } from "./adapter-folder.js";
import { Ia3Error } from "./errors.js";
import { byPath, bytesOf, oneFolder } from "./files.js";
import { chunksOf, isAbsent, join, request, type Fetch } from "./http.js";
import { absolute, isUrl, remoteFolder, type HubOptions } from "./source.js";
import type { AdapterFiles, AdapterSource } from "./types.js";
import { isZip, unzip } from "./zip.js";

/** Where an adapter given by name is fetched from. */
export interface AdapterPlace extends HubOptions {
  fetch: Fetch;
  signal?: AbortSignal | undefined;
}

/** The files of an adapter, by bare name. */
export async function adapterFiles(source: AdapterSource, place: AdapterPlace): Promise<AdapterFiles> {
  if (typeof source === "string") return named(source, place);
  if (source instanceof Uint8Array || source instanceof Blob) return zipped(await bytesOf(source));
  return picked(byPath(source));
}

async function named(source: string, place: AdapterPlace): Promise<AdapterFiles> {
  if (isUrl(source) && new URL(absolute(source)).pathname.endsWith(".zip")) {
    return zipped(await fetched(absolute(source), place));
  }
  const { url } = remoteFolder(source, place);
  const required = PEFT_FILES.map(async (file) => [file, await fetched(url + file, place)] as const);
  const optional = OWN_FILES.map(async (file) => [file, await fetchedIfThere(url + file, place)] as const);
  const files = await Promise.all([...required, ...optional]);
  return Object.fromEntries(files.filter((entry): entry is [typeof entry[0], Uint8Array] => entry[1] !== undefined));
}

async function picked(paths: Record<string, Blob | Uint8Array>): Promise<AdapterFiles> {
  const [first, ...others] = Object.entries(paths);
  if (first && others.length === 0 && first[0].toLowerCase().endsWith(".zip")) return zipped(await bytesOf(first[1]));
  const folder = oneFolder(paths, PEFT_FILES, "bad-adapter");
  const wanted = [...PEFT_FILES, ...OWN_FILES].filter((file) => file in folder);
  return Object.fromEntries(await Promise.all(wanted.map(async (file) => [file, await bytesOf(folder[file]!)] as const)));
}

function zipped(bytes: Uint8Array): Promise<AdapterFiles> {
  if (isZip(bytes)) return picked(unzip(bytes));
  throw new Ia3Error("bad-adapter", "these bytes are not a zip: pass a zip of an adapter folder, or its files by name");
}

async function fetched(url: string, { fetch, signal }: AdapterPlace): Promise<Uint8Array> {
  const { body } = await request(fetch, url, signal ? { signal } : {});
  return join(chunksOf(body ?? new Blob().stream()));
}

async function fetchedIfThere(url: string, place: AdapterPlace): Promise<Uint8Array | undefined> {
  try {
    return await fetched(url, place);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
