/** The files of a saved adapter, read before a model is made for them: out of a zip, or as a person chose them one by one. */

import { unzipSync } from "fflate";

/** An adapter is some 60 kB; far larger entries are something else, and are not unpacked. */
const LARGEST_ENTRY = 64e6;

/** What was read of one adapter. */
export interface AdapterFiles {
  name: string;
  /** File name to content. */
  files: Record<string, Uint8Array>;
}

/** Reads what a person chose or dropped: one zip, or the files of one adapter. */
export async function readAdapter(chosen: File[]): Promise<AdapterFiles> {
  const entries: Record<string, Uint8Array> = {};
  for (const file of chosen) {
    const content = new Uint8Array(await file.arrayBuffer());
    if (isZip(content)) Object.assign(entries, unzip(file.name, content));
    else entries[file.name] = content;
  }
  const files = besideConfig(entries);
  const name = (chosen[0]?.name ?? "adapter").replace(/\.(zip|json|safetensors)$/, "").replace(/^adapter_(config|model)$/, "loaded");
  return { name, files };
}

function isZip(content: Uint8Array): boolean {
  return content[0] === 0x50 && content[1] === 0x4b;
}

function unzip(name: string, content: Uint8Array): Record<string, Uint8Array> {
  try {
    return unzipSync(content, { filter: (entry) => entry.originalSize <= LARGEST_ENTRY });
  } catch (error) {
    throw new Error(`${name} is not a readable zip (${(error as Error).message}). Download the adapter again, or choose its files one by one.`);
  }
}

/** The files in the folder of adapter_config.json, without that folder: zips made by hand often have one. */
function besideConfig(entries: Record<string, Uint8Array>): Record<string, Uint8Array> {
  const config = Object.keys(entries).find((path) => /(^|\/)adapter_config\.json$/.test(path) && !path.startsWith("__MACOSX"));
  if (config === undefined) throw new Error("There is no adapter_config.json in what you gave. Give one zip, or all the files of one adapter.");
  const folder = config.slice(0, -"adapter_config.json".length);
  return Object.fromEntries(
    Object.entries(entries)
      .filter(([path]) => path.startsWith(folder) && path.length > folder.length && !path.slice(folder.length).includes("/"))
      .map(([path, content]) => [path.slice(folder.length), content]),
  );
}
