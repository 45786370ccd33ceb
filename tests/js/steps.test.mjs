// Training through aborts, failures and lost devices, on the engine's side.

import assert from "node:assert/strict";
import { test } from "node:test";
import { wasmError } from "./session.mjs";
import { source } from "./source.mjs";

const { runTraining } = await source("steps");

/** A training whose steps do what `script` says: a number is a step taken, an error is thrown, "end" is the end. */
function training(script, { recover = async () => {} } = {}) {
  const log = [];
  return {
    log,
    begin: async () => log.push("begin"),
    step: async () => {
      const next = script.shift();
      if (next instanceof Error) throw next;
      return [next === "end" ? { type: "end", reason: "completed" } : { type: "step", step: next }];
    },
    recover: async () => {
      log.push("recover");
      await recover();
    },
    end: async (reason) => {
      log.push(`end ${reason}`);
      return { reason };
    },
    emit: (event) => log.push(`${event.type} ${event.step ?? event.reason}`),
  };
}

const lost = () => wasmError("device-lost");
const never = new AbortController().signal;

test("a run goes from its beginning to its end", async () => {
  const run = training([1, 2, "end"]);
  assert.deepEqual(await runTraining(run, never), { result: { reason: "completed" }, error: null });
  assert.deepEqual(run.log, ["begin", "step 1", "step 2", "end completed", "end completed"]);
});

test("a lost device is replaced and training goes on from the last step", async () => {
  const run = training([1, lost(), 2, "end"]);
  assert.equal((await runTraining(run, never)).error, null);
  assert.deepEqual(run.log.slice(1, 5), ["step 1", "device-lost 1", "recover", "step 2"]);
});

test("two recoveries without a step between are the most", async () => {
  const run = training([1, lost(), lost(), lost()]);
  assert.equal((await runTraining(run, never)).error.code, "device-lost");
  assert.equal(run.log.filter((entry) => entry === "recover").length, 2);
  assert.equal(run.log.at(-1), "end failed");
});

test("progress makes up for earlier losses", async () => {
  const run = training([lost(), lost(), 1, lost(), lost(), 2, "end"]);
  assert.equal((await runTraining(run, never)).error, null);
});

test("a failure comes beside the result", async () => {
  const run = training([1, wasmError("out-of-memory", { bytes: 5 })]);
  const { result, error } = await runTraining(run, never);
  assert.deepEqual([result.reason, error.code, error.details.bytes], ["failed", "out-of-memory", 5]);
});

test("a failed recovery is a failure of the run", async () => {
  const run = training([1, lost()], { recover: () => Promise.reject(wasmError("file-unreachable")) });
  assert.equal((await runTraining(run, never)).error.code, "file-unreachable");
});

test("an abort during a recovery is an abort", async () => {
  const controller = new AbortController();
  const recover = async () => {
    controller.abort();
    throw controller.signal.reason;
  };
  const run = training([1, lost()], { recover });
  assert.deepEqual(await runTraining(run, controller.signal), { result: { reason: "aborted" }, error: null });
});

test("a panic leaves nothing to end", async () => {
  const run = training([new WebAssembly.RuntimeError("unreachable")]);
  await assert.rejects(runTraining(run, never), WebAssembly.RuntimeError);
  assert.deepEqual(run.log, ["begin"]);
});
