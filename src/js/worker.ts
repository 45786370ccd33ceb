// The worker's script: an engine that answers the page that made the worker.

import { Engine } from "./engine.js";
import { isTrap } from "./errors.js";
import * as module from "./ia3_web.js";
import { serve, type Endpoint } from "./rpc.js";
import { runtime, startModule, type Glue } from "./runtime.js";

const scope = globalThis as unknown as Endpoint & {
  addEventListener(type: "unhandledrejection", listener: (event: PromiseRejectionEvent) => void): void;
};

let glue: Promise<Glue> | undefined;
const engine = new Engine(runtime(() => (glue ??= startModule(module))));
serve(scope, (verb, args, call) => engine.dispatch(verb, args, call));

// A trap in one of the module's own promises would pass unseen; as an error of the worker it reaches the page.
scope.addEventListener("unhandledrejection", ({ reason }) => {
  if (!isTrap(reason)) return;
  setTimeout(() => {
    throw reason;
  });
});
