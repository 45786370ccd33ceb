// What an engine needs from where it runs: the WebAssembly module, the network and the browser's cache.

import { Ia3Error } from "./errors.js";
import type { Fetch } from "./http.js";
import type { Session } from "./ia3_web.js";

/** The exports of the WebAssembly module that the engine uses. */
export type Glue = Pick<typeof import("./ia3_web.js"), "Session" | "estimate" | "ggufFiles">;

/** An engine's surroundings. */
export interface Runtime {
  /** The started WebAssembly module. */
  glue(): Promise<Glue>;
  /** Lets a session of the module use so many threads; absent where the module is not built for it. */
  share?(session: Session, threads: number): Promise<void>;
  fetch: Fetch;
  /** Absent in insecure contexts. */
  caches: CacheStorage | undefined;
}

/** The surroundings that the global scope offers. */
export function runtime(glue: () => Promise<Glue>): Runtime {
  return { glue, fetch: (url, init) => fetch(url, init), caches: globalThis.caches };
}

/** Starts the module that lies at `url`, beside the script. */
export async function startModule({ default: init, Session, estimate, ggufFiles }: typeof import("./ia3_web.js"), url: URL): Promise<Glue> {
  try {
    await init({ module_or_path: url });
  } catch (cause) {
    if (cause instanceof RangeError) throw new Ia3Error("out-of-memory", `no memory for ${url.href}: close other tabs`, {}, { cause });
    const text = `${url.href} cannot be started (${String(cause)}): it must lie beside the script, and a CSP must allow 'wasm-unsafe-eval'`;
    throw new Ia3Error("file-unreachable", text, { url: url.href }, { cause });
  }
  return { Session, estimate, ggufFiles };
}
