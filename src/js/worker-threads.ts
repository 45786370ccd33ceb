// The worker's script where threads can share memory: the same engine over the module that is built for it.

import { Ia3Error } from "./errors.js";
import { Helpers } from "./helpers.js";
import * as module from "./ia3_web_threads.js";
import { runtime, startModule, type Glue } from "./runtime.js";
import { serveWorker } from "./serve-worker.js";

let glue: Promise<Glue> | undefined;
let helpers: Helpers | undefined;

async function start(): Promise<Glue> {
  if (!globalThis.crossOriginIsolated) {
    throw new Ia3Error("bad-option", "worker-threads.js runs only where the page is cross-origin isolated: make the worker of worker.js");
  }
  return startModule(module, new URL("./ia3_web_threads_bg.wasm", import.meta.url));
}

serveWorker({
  ...runtime(() => (glue ??= start())),
  share: (session, threads) => (helpers ??= new Helpers(new module.Threads())).share(session as module.Session, threads),
});
