// What the scripts of the engine's workers share.

import { Engine } from "./engine.js";
import { isTrap } from "./errors.js";
import { serve, type Endpoint } from "./rpc.js";
import type { Runtime } from "./runtime.js";

type Scope = Endpoint & {
  addEventListener(type: "unhandledrejection", listener: (event: PromiseRejectionEvent) => void): void;
};

/** Answers the page that made this worker. */
export function serveWorker(runtime: Runtime): void {
  const scope = globalThis as unknown as Scope;
  const engine = new Engine(runtime);
  serve(scope, (verb, args, call) => engine.dispatch(verb, args, call));

  // A trap in one of the module's own promises would pass unseen; as an error of the worker it reaches the page.
  scope.addEventListener("unhandledrejection", ({ reason }) => {
    if (!isTrap(reason)) return;
    setTimeout(() => {
      throw reason;
    });
  });
}
