// Where things live: the JavaScript side of lib.sh.

import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** @returns absolute paths of the clone's folders and of the base model's hub folder in the cache */
export function folders() {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const { IA3_WEB_CACHE, XDG_CACHE_HOME } = process.env;
  const shared = IA3_WEB_CACHE || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "ia3-web");
  const cache = existsSync(shared) ? shared : join(root, "target", "cache");
  return {
    root,
    www: join(root, "www"),
    pkg: join(root, "pkg"),
    out: join(root, "target"),
    hub: join(cache, "hub"),
  };
}
