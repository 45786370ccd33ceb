// Files that came with the call (picked, dropped, named or unzipped), and the folder among them that holds what is needed.

import { Ia3Error, type ErrorCode } from "./errors.js";
import type { LocalFiles } from "./types.js";

/** Contents by path, with `/` between the parts. */
export type Paths<T> = Record<string, T>;

/** Whether a value is bytes or a `Blob` (a `File` is one). */
export function isContents(value: unknown): value is Blob | Uint8Array {
  return value instanceof Uint8Array || value instanceof Blob;
}

/** The given files by path. A `Blob` is only a handle: nothing is read here. */
export function byPath(files: LocalFiles): Paths<Blob | Uint8Array> {
  const listed = isList(files) ? Array.from(files, (file) => [pathOf(file), file] as const) : Object.entries(files);
  const wrong = listed.find(([, contents]) => !isContents(contents));
  if (wrong) throw new Ia3Error("bad-option", `${wrong[0]} must be a Blob, a File or a Uint8Array`, { file: wrong[0] });
  return Object.fromEntries(listed);
}

/**
 * The files of the one folder that has all of `required`, by bare name; other folders are ignored.
 * If several folders have them, the shallowest is taken; if that is no single one, the error lists them.
 */
export function oneFolder<T>(paths: Paths<T>, required: readonly string[], code: ErrorCode): Paths<T> {
  const folders = [...new Set(Object.keys(paths).map(folderOf))].filter((folder) =>
    required.every((name) => folder + name in paths),
  );
  const depth = (folder: string) => folder.split("/").length;
  const shallowest = Math.min(...folders.map(depth));
  const found = folders.filter((folder) => depth(folder) === shallowest);
  const [folder] = found;
  if (folder === undefined) throw missing(Object.keys(paths), required, code);
  if (found.length > 1) {
    throw new Ia3Error(code, `several folders hold ${required.join(", ")}: ${found.join(", ")}; pass one of them`, { folders: found });
  }
  const inside = Object.entries(paths).filter(([path]) => folderOf(path) === folder);
  return Object.fromEntries(inside.map(([path, contents]) => [path.slice(folder.length), contents]));
}

/** The bytes of a file. */
export async function bytesOf(contents: Blob | Uint8Array): Promise<Uint8Array> {
  return contents instanceof Uint8Array ? contents : new Uint8Array(await contents.arrayBuffer());
}

function missing(paths: string[], required: readonly string[], code: ErrorCode): Ia3Error {
  const absent = required.filter((name) => !paths.some((path) => nameOf(path) === name));
  const what = absent.length > 0 ? `${absent.join(", ")} is missing` : `${required.join(", ")} are not in one folder`;
  return new Ia3Error(code, `${what}; the files are: ${paths.slice(0, 20).join(", ") || "none"}`, { missing: absent });
}

function isList(files: LocalFiles): files is FileList | readonly File[] {
  return Array.isArray(files) || (typeof FileList !== "undefined" && files instanceof FileList);
}

function pathOf(file: File): string {
  return file.webkitRelativePath || file.name;
}

/** What a file is called in its folder. */
export function nameOf(path: string): string {
  return path.slice(folderOf(path).length);
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1);
}
