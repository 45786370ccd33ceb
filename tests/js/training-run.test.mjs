// A training run as the caller sees it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./source.mjs";

const { TrainingRun } = await source("training-run");

const pause = () => new Promise((resolve) => setTimeout(resolve, 1));

/** Work of some steps that ends early when it is told to. */
function work(steps, { reason = "completed", error } = {}) {
  return async ({ signal, emit }) => {
    let step = 0;
    while (step < steps && !signal.aborted) {
      await pause();
      emit({ type: "step", step: ++step });
    }
    if (error) throw error;
    return { steps: step, bestStep: step, reason: signal.aborted ? "aborted" : reason };
  };
}

async function collect(run) {
  const steps = [];
  for await (const event of run) steps.push(event.step);
  return steps;
}

test("a run yields its events and resolves to its result", async () => {
  const run = new TrainingRun(work(3));
  assert.deepEqual(await collect(run), [1, 2, 3]);
  assert.equal((await run).reason, "completed");
});

test("a run needs no listener, and late ones miss nothing", async () => {
  const run = new TrainingRun(work(3));
  await run;
  assert.deepEqual(await collect(run), [1, 2, 3]);
  assert.deepEqual(await collect(run), [1, 2, 3]);
});

test("leaving the loop does not end training", async () => {
  const run = new TrainingRun(work(3));
  for await (const _event of run) break;
  assert.equal((await run).steps, 3);
});

test("stop() resolves with reason aborted", async () => {
  const run = new TrainingRun(work(1e6));
  for await (const event of run) if (event.step === 2) run.stop();
  const { steps, reason } = await run;
  assert.equal(reason, "aborted");
  assert.ok(steps <= 3, `${steps} steps: at most the one under way is finished`);
});

test("the caller's signal ends the loop quietly and rejects with its reason", async () => {
  const controller = new AbortController();
  const run = new TrainingRun(work(1e6), controller.signal);
  const why = new Error("the user left");
  const seen = [];
  for await (const event of run) if (seen.push(event.step) === 2) controller.abort(why);
  assert.ok(seen.length <= 3, "at most the step under way is finished");
  await assert.rejects(run, (error) => error === why);
});

test("a signal that is aborted already starts nothing", async () => {
  let started = false;
  const run = new TrainingRun(async () => (started = true), AbortSignal.abort(new Error("before")));
  await assert.rejects(run, /before/);
  assert.deepEqual(await collect(run), []);
  assert.equal(started, false);
});

test("an abort after the end changes nothing", async () => {
  const controller = new AbortController();
  const run = new TrainingRun(work(1), controller.signal);
  await run;
  controller.abort();
  assert.equal((await run).reason, "completed");
});

test("an error comes out of the loop and of the promise", async () => {
  const run = new TrainingRun(work(2, { error: new Error("broken") }));
  await assert.rejects(collect(run), /broken/);
  await assert.rejects(run, /broken/);
});

test("divergence is an error that carries the result", async () => {
  const run = new TrainingRun(work(2, { reason: "diverged" }));
  await assert.rejects(run, (error) => error.code === "diverged" && error.details.result.bestStep === 2);
});

test("a failed run that nobody listens to is not an unhandled rejection", async (t) => {
  const unhandled = t.mock.fn();
  process.on("unhandledRejection", unhandled);
  t.after(() => process.off("unhandledRejection", unhandled));
  new TrainingRun(work(1, { error: new Error("nobody listens") }));
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(unhandled.mock.callCount(), 0);
});
