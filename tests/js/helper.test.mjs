// A helper's script: it starts an instance on the engine's memory, says so, helps, and tells when it was cut off.

import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./source.mjs";

/** Runs the script as a worker that is sent an invitation; `help` stands for the module's. */
async function invited(help) {
  const told = [];
  let listener;
  Object.assign(globalThis, {
    addEventListener: (type, found, options) => {
      assert.deepEqual([type, options], ["message", { once: true }]);
      listener = found;
    },
    postMessage: (message) => told.push(["posted", message]),
    fakeThreads: {
      initSync: (input) => told.push(["started", input]),
      help: (pool) => {
        told.push(["helps", pool]);
        help?.();
      },
    },
  });
  await source(`helper`, `run=${Math.random()}`);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const invitation = { module: "module", memory, lost: 1024, pool: 4096 };
  let thrown;
  try {
    listener({ data: invitation });
  } catch (error) {
    thrown = error;
  }
  return { told, thrown, memory, invitation, lost: new Int32Array(memory.buffer)[256] };
}

test("a helper starts on the engine's memory, says that it has, and then helps", async () => {
  const { told, thrown, lost, memory } = await invited();
  assert.deepEqual(told, [["started", { module: "module", memory }], ["posted", null], ["helps", 4096]]);
  assert.deepEqual([thrown, lost], [undefined, 0]);
});

test("a helper that is cut off counts itself as lost, and its error is seen", async () => {
  const trap = new WebAssembly.RuntimeError("unreachable");
  const { thrown, lost } = await invited(() => {
    throw trap;
  });
  assert.deepEqual([thrown, lost], [trap, 1]);
});
