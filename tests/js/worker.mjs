// A worker that runs the real engine over a pretended session, in this thread.

import { fakeGgufFiles } from "./gguf-fixtures.mjs";
import { FakeSession } from "./session.mjs";
import { source } from "./source.mjs";

const { Engine } = await source("engine");
const { serve } = await source("rpc");

/** A runtime whose sessions have these faults. */
export function fakeRuntime(faults = {}, { fetch = globalThis.fetch, caches } = {}) {
  const Session = class extends FakeSession {
    constructor(...args) {
      super(faults, ...args);
    }
  };
  const estimate = (config, headers, options) => ({ weightBytes: headers[0].length, memoryBytes: 1000 * options.batchSize, config });
  return { glue: async () => ({ Session, estimate, ggufFiles: fakeGgufFiles(faults) }), fetch: (url, init) => fetch(url, init), caches };
}

/** As much of `Worker` as the package uses. */
export class FakeWorker extends EventTarget {
  terminated = false;
  #port;

  constructor(runtime) {
    super();
    const { port1, port2 } = new MessageChannel();
    const engine = new Engine(runtime);
    serve(port2, (verb, args, call) => engine.dispatch(verb, args, call));
    port2.start();
    port1.onmessage = ({ data }) => this.dispatchEvent(new MessageEvent("message", { data }));
    this.#port = port1;
  }

  postMessage(message, transfer) {
    this.#port.postMessage(message, transfer);
  }

  terminate() {
    this.terminated = true;
    this.#port.close();
  }

  /** What the page sees when the worker's script dies. */
  crash(message) {
    this.dispatchEvent(Object.assign(new Event("error", { cancelable: true }), { message }));
  }
}

/** The three files of a model, as bytes. */
export const FILES = {
  "config.json": new TextEncoder().encode('{"model_type":"bert"}'),
  "tokenizer.json": new TextEncoder().encode("{}"),
  "model.safetensors": new Uint8Array(300_000).map((_, at) => at % 251),
};

/** A `CacheStorage` in memory; `quota` is the size of the largest file it takes. */
export function fakeCaches({ quota = Infinity } = {}) {
  const entries = new Map();
  const cache = {
    async match(url) {
      const entry = entries.get(url);
      return entry && new Response(entry.bytes, { headers: entry.headers });
    },
    async put(url, response) {
      const parts = [];
      let size = 0;
      for await (const chunk of response.body) {
        size += chunk.length;
        if (size > quota) throw new DOMException("the quota is used up", "QuotaExceededError");
        parts.push(chunk);
      }
      entries.set(url, { bytes: Buffer.concat(parts), headers: Object.fromEntries(response.headers) });
    },
    async delete(url) {
      return entries.delete(url);
    },
  };
  return { entries, open: async () => cache };
}
