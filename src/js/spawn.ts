// Starts an engine: in a dedicated worker, in a worker that the caller made, or in the calling thread.

import { Ia3Error, isTrap, panicError } from "./errors.js";
import type { Endpoint } from "./rpc.js";
import { startWorker } from "./start-worker.js";
import type { EngineOptions } from "./types.js";

/** A running engine, seen from the page. */
export interface EngineHandle {
  endpoint: Endpoint;
  /** Called once, when the engine stops by itself. */
  onCrash(listener: (error: Ia3Error) => void): void;
  /** Ends it; `crashed` says that what it leaves behind cannot be used again. */
  close(crashed: boolean): void;
  /** Whether it has to be told to dispose of its model before `close`. */
  outlives: boolean;
}

/** Starts engines of one kind. */
export interface Starter {
  start(): EngineHandle;
  /** Whether a crashed engine can be replaced by starting another. */
  replaceable: boolean;
}

/** The starter that the `worker` option asks for, of engines that will use so many threads. */
export function starter(worker: EngineOptions["worker"] = true, threads = 1): Starter {
  if (worker === false) return { start: inThread, replaceable: true };
  if (worker === true) return { start: () => inWorker(ownWorker(threads), true), replaceable: true };
  if (typeof worker === "function") return { start: () => inWorker(worker(), true), replaceable: true };
  return { start: () => inWorker(worker, false), replaceable: false };
}

function ownWorker(threads: number): Worker {
  if (typeof Worker === "undefined") {
    throw new Ia3Error("bad-option", "there are no workers here: models run in a browser; pass worker: false for the calling thread");
  }
  try {
    // Bundlers know a worker by the whole expression.
    return threads === 1
      ? startWorker("./worker.js", () => new Worker(new URL("./worker.js", import.meta.url), { type: "module" }))
      : startWorker("./worker-threads.js", () => new Worker(new URL("./worker-threads.js", import.meta.url), { type: "module" }));
  } catch (cause) {
    throw unreachable(cause);
  }
}

function inWorker(worker: Worker, owned: boolean): EngineHandle {
  let heard = false;
  worker.addEventListener("message", () => (heard = true), { once: true });
  return {
    endpoint: worker,
    outlives: !owned,
    close: () => (owned ? worker.terminate() : undefined),
    onCrash: (listener) => {
      worker.addEventListener("error", (event) => {
        event.preventDefault();
        listener(crash(event, heard));
      });
      worker.addEventListener("messageerror", () => listener(panicError("a message could not be read")));
    },
  };
}

// A script that does not load fails with an event that has no message.
function crash({ message }: ErrorEvent, heard: boolean): Ia3Error {
  if (heard || message) return panicError(message || "the worker failed");
  return unreachable("no answer");
}

function unreachable(cause: unknown): Ia3Error {
  const text = `the worker cannot be started (${String(cause)}): worker.js and worker-threads.js must lie beside index.js, and a CSP's worker-src must allow them`;
  return new Ia3Error("file-unreachable", text, {}, { cause });
}

function inThread(): EngineHandle {
  const { port1: page, port2: engine } = new MessageChannel();
  page.start();
  let crashed: ((error: Ia3Error) => void) | undefined;
  const served = import("./in-thread.js").then(({ serveInThread }) => serveInThread(engine));
  served.catch((cause) => crashed?.(new Ia3Error("file-unreachable", `a script of the package cannot be loaded: ${cause}`, {}, { cause })));
  // A trap inside the module's own tasks reaches no promise, only the thread's error event.
  const onError = (event: Event) => {
    const { error } = event as ErrorEvent;
    if (isTrap(error)) crashed?.(panicError(error.message, error));
  };
  globalThis.addEventListener?.("error", onError);
  return {
    endpoint: page,
    outlives: true,
    onCrash: (listener) => (crashed = listener),
    close: (gone) => {
      globalThis.removeEventListener?.("error", onError);
      page.close();
      if (gone) void served.then((giveUp) => giveUp()).catch(() => {});
    },
  };
}
