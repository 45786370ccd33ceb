// An engine in the calling thread, for `worker: false`. Loaded only then.

import { Engine } from "./engine.js";
import { Ia3Error } from "./errors.js";
import { importUrl } from "./import-url.js";
import { serve } from "./rpc.js";
import { runtime, startModule, type Glue } from "./runtime.js";

type Module = typeof import("./ia3_web.js");

/**
 * How many instances of the WebAssembly module this thread has given up after a panic. wasm-bindgen's script keeps one instance per
 * evaluation, and the browser one evaluation per URL, so a fresh instance needs a fresh URL. All models of the thread share it.
 */
let generation = 0;

/** Serves a port. Returns a function to call when the engine has panicked: the next one gets a fresh instance of the module. */
export function serveInThread(port: MessagePort): () => void {
  const mine = generation;
  let glue: Promise<Glue> | undefined;
  const engine = new Engine(runtime(() => (glue ??= instance(mine))));
  serve(port, (verb, args, call) => engine.dispatch(verb, args, call));
  port.start();
  return () => (generation = Math.max(generation, mine + 1));
}

async function instance(which: number): Promise<Glue> {
  const module = which === 0 ? await import("./ia3_web.js") : await freshCopy(which);
  return startModule(module, new URL("./ia3_web_bg.wasm", import.meta.url));
}

async function freshCopy(which: number): Promise<Module> {
  // A bundler that sees this URL emits the script as it is, beside the bundle.
  const url = new URL("./ia3_web.js", import.meta.url);
  url.searchParams.set("instance", String(which));
  try {
    return (await importUrl(url.href)) as Module;
  } catch (cause) {
    const text = `the engine stopped, and ${url.href} cannot be loaded to start a fresh one: reload the page`;
    throw new Ia3Error("panic", text, {}, { cause });
  }
}
