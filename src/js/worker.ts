// The worker's script: an engine that answers the page that made the worker.

import * as module from "./ia3_web.js";
import { runtime, startModule, type Glue } from "./runtime.js";
import { serveWorker } from "./serve-worker.js";

let glue: Promise<Glue> | undefined;
const start = () => startModule(module, new URL("./ia3_web_bg.wasm", import.meta.url));
serveWorker(runtime(() => (glue ??= start())));
