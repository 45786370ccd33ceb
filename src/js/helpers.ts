// The helpers of an engine: workers that share the work of its module.

import { Ia3Error } from "./errors.js";
import type { Invitation, Session, Threads } from "./ia3_web_threads.js";
import { startWorker } from "./start-worker.js";

/** Those of one instance of the module, which all its sessions share; they end with the engine. */
export class Helpers {
  readonly #threads: Threads;
  readonly #started: Promise<void>[] = [];

  constructor(threads: Threads) {
    this.#threads = threads;
  }

  /** Lets `session` use so many threads, the engine's own included. */
  async share(session: Session, threads: number): Promise<void> {
    const helpers = threads - 1;
    while (this.#started.length < helpers) this.#start();
    await Promise.all(this.#started.slice(0, helpers));
    session.useThreads(this.#threads, helpers);
  }

  #start(): void {
    const started = startHelper(this.#threads.invitation());
    this.#started.push(started);
    // Whoever shares next tries again.
    started.catch(() => this.#started.splice(this.#started.indexOf(started), 1));
  }
}

function startHelper(invitation: Invitation): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = startWorker("./helper.js", () => new Worker(new URL("./helper.js", import.meta.url), { type: "module" }));
    worker.addEventListener("message", () => resolve(), { once: true });
    // Once it has begun to help, the engine learns from the memory they share that it has stopped.
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      reject(unstarted(event.message || "no answer"));
    });
    worker.postMessage(invitation);
  });
}

function unstarted(cause: string): Ia3Error {
  const text = `helper.js cannot be started (${cause}): it must lie beside worker-threads.js, and a CSP's worker-src must allow it; or load with { threads: 1 }`;
  return new Ia3Error("file-unreachable", text);
}
