// How many threads an engine gets, and which worker runs it.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { source } from "./source.mjs";
import { fakeRuntime, FakeWorker, FILES } from "./worker.mjs";

const { Model } = await source("model");
const { threadCount } = await source("threads");

const { Memory } = WebAssembly;
const navigatorOf = Object.getOwnPropertyDescriptor(globalThis, "navigator");

/** A page with so many processor cores. */
function page({ isolated = true, cores = 8, room = true } = {}) {
  globalThis.crossOriginIsolated = isolated;
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { hardwareConcurrency: cores } });
  WebAssembly.Memory = class extends Memory {
    constructor(limits) {
      if (!room) throw new RangeError("no address space");
      super({ ...limits, maximum: 1 });
    }
  };
}

afterEach(() => {
  delete globalThis.crossOriginIsolated;
  WebAssembly.Memory = Memory;
  if (navigatorOf) Object.defineProperty(globalThis, "navigator", navigatorOf);
  else delete globalThis.navigator;
});

test("as many threads as cores, at most four unless more are wanted", () => {
  for (const [cores, wanted, expected] of [[8, undefined, 4], [2, undefined, 2], [1, undefined, 1], [2, 6, 6], [8, 1, 1]]) {
    page({ cores });
    assert.equal(threadCount(wanted), expected, `${cores} cores, ${wanted} wanted`);
  }
});

test("one thread where memory cannot be shared", () => {
  page({ isolated: false });
  assert.equal(threadCount(4), 1);
  page({ room: false });
  assert.equal(threadCount(4), 1);
});

/** The scripts of the workers that are made from now on, all with this runtime. */
function workers(t, runtime) {
  const made = [];
  globalThis.Worker = class extends FakeWorker {
    constructor(url) {
      super(runtime);
      made.push(new URL(url).pathname.split("/").at(-1));
    }
  };
  t.after(() => delete globalThis.Worker);
  return made;
}

/** Loads a model in a worker of the package's own. Returns what was made of the options. */
async function loaded(t, options, faults) {
  const shared = [];
  const made = workers(t, { ...fakeRuntime(faults), share: async (session, threads) => void shared.push(threads) });
  const model = await Model.fromPretrained(FILES, { cache: false, warmUp: false, ...options });
  const { threads } = model.deviceInfo;
  model.dispose();
  return { made, shared, threads };
}

test("the worker with threads runs where there are several, and the session shares its work", async (t) => {
  page();
  assert.deepEqual(await loaded(t, { device: "wasm" }), { made: ["worker-threads.js"], shared: [4], threads: 4 });
  assert.deepEqual(await loaded(t, { device: "wasm", threads: 2 }), { made: ["worker-threads.js"], shared: [2], threads: 2 });
});

test("the plain worker runs where there is one", async (t) => {
  page({ isolated: false });
  assert.deepEqual(await loaded(t, { device: "wasm" }), { made: ["worker.js"], shared: [], threads: 1 });
  page();
  assert.deepEqual(await loaded(t, { device: "wasm", threads: 1 }), { made: ["worker.js"], shared: [], threads: 1 });
});

test("on WebGPU nothing is shared", async (t) => {
  page();
  assert.deepEqual(await loaded(t, { device: "webgpu" }), { made: ["worker.js"], shared: [], threads: 1 });
  assert.deepEqual(await loaded(t, { device: "auto" }, { auto: "webgpu" }), { made: ["worker-threads.js"], shared: [], threads: 1 });
});

test("an estimate fetches the module that a load will take", async (t) => {
  // Eight bytes of length and an empty header.
  const weights = Uint8Array.from([2, 0, 0, 0, 0, 0, 0, 0, 123, 125]);
  const worker = async (options) => {
    const made = workers(t, fakeRuntime());
    await Model.estimate({ ...FILES, "model.safetensors": weights }, options);
    return made;
  };
  page();
  assert.deepEqual([await worker({}), await worker({ device: "webgpu" })], [["worker-threads.js"], ["worker.js"]]);
  page({ isolated: false });
  assert.deepEqual(await worker({}), ["worker.js"]);
});

test("a number of threads that is none is refused", async () => {
  for (const threads of [0, -1, 1.5, "2"]) {
    await assert.rejects(Model.fromPretrained(FILES, { threads }), { code: "bad-option", message: /threads/ });
  }
});
