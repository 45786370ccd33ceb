// Everything that can go wrong with a model in use: each fault is a typed error, nothing is lost, and the next call works.

import assert from "node:assert/strict";
import { test } from "node:test";
import { close, sameAnswers } from "./compare.mjs";
import { isError, openBroken } from "./faults.mjs";

/** Errors by what the caller did; `model` has labels, a `trained` adapter and a fresh one. */
const MISUSES = {
  "unknown-adapter": [`model.classify("a cat", { adapter: "nobody" })`, /nobody.*trained/],
  "adapter-exists": [`model.addAdapter("trained")`, /trained/],
  "unknown-label": [`model.train("trained", [{ text: "a", label: "nonsense" }, ...job.EXAMPLES])`, /nonsense.*animal/],
  "empty-training-set": [`model.train("trained", [])`, /./],
  "single-class": [`model.train("trained", job.EXAMPLES.slice(0, 3))`, /animal/],
  "no-target-match": [`model.addAdapter("none", { targetModules: ["nonsense"], feedforwardModules: [] })`, /nonsense/],
  "empty-text": [`model.classify(["a cat", " "])`, /input 1/],
  "bad-option": [`model.train("trained", job.EXAMPLES, { learningrate: 1 })`, /learningrate.*learningRate/],
  "bad-adapter": [`model.loadAdapter("mine", new Uint8Array(10))`, /zip/],
  "adapter-mismatch": [`model.loadAdapter("mine", deeper)`, /layer\.7/],
  "no-head": [`untrained.classify("a cat")`, /train an adapter first/],
};

test("misuse is told by code, and the model goes on", async (t) => {
  const { page } = await openBroken(t);
  await ready(page);
  await page.evaluate(async () => {
    globalThis.untrained = await ia3.Model.fromPretrained("tiny/bert-mean", { baseUrl: "/hub", labels: job.LABELS, device: "wasm" });
    // An adapter of a model with more layers.
    const files = await model.saveAdapter("trained");
    const text = atob(job.base64(files["adapter_model.safetensors"])).replaceAll("layer.1.", "layer.7.");
    globalThis.deeper = { ...files, "adapter_model.safetensors": job.fromBase64(btoa(text)) };
  });
  for (const [code, [work, message]] of Object.entries(MISUSES)) {
    isError(await page.evaluate(`job.caught(ia3, (async () => ${work})())`), code, message);
  }
  const answers = await page.evaluate(() => model.classify(["a cat ".repeat(60), "a cat"]));
  assert.deepEqual(answers.map(({ truncated }) => truncated), [true, false]);
});

test("a second run while one is under way is refused, and the first ends", async (t) => {
  const { page } = await openBroken(t);
  await ready(page);
  const [error, reason] = await page.evaluate(async () => {
    const first = model.train("trained", job.EXAMPLES, { steps: 30 });
    const second = await job.caught(ia3, model.train("trained", job.EXAMPLES, { steps: 2 }));
    return [second, (await first).reason];
  });
  isError(error, "busy", /./);
  assert.equal(reason, "completed");
});

test("an abort by signal ends the run with the signal's reason, and keeps the vectors so far", async (t) => {
  const { page } = await openBroken(t);
  await ready(page);
  const found = await page.evaluate(async () => {
    const options = { batchSize: 4, learningRate: 2e-2, schedule: "constant", warmupRatio: 0, seed: 3, objective: "cross-entropy" };
    const controller = new AbortController();
    await model.addAdapter("aborted");
    const run = model.train("aborted", job.EXAMPLES, { ...options, steps: 500, signal: controller.signal });
    let steps = 0;
    for await (const event of run) {
      if (event.type === "step") steps = event.step;
      if (steps === 3) controller.abort("enough");
    }
    const reason = await run.then(() => "none", (reason) => reason);
    await model.addAdapter("undisturbed");
    await model.train("undisturbed", job.EXAMPLES, { ...options, steps });
    const of = async (name) => (await model.embed("a cat", { adapter: name })).map((vector) => [...vector]);
    return { steps, reason, aborted: await of("aborted"), undisturbed: await of("undisturbed"), base: await of(null) };
  });
  assert.equal(found.reason, "enough");
  assert.ok(found.steps >= 3 && found.steps < 500, `${found.steps} steps`);
  close(found.aborted, found.undisturbed, 1e-5, "the vectors of the last step");
  assert.notDeepEqual(found.aborted, found.base);
});

test("a loss that is no number ends the run, and the last good vectors stay", async (t) => {
  const { page } = await openBroken(t);
  await ready(page);
  const { error, scores } = await page.evaluate(async () => {
    const options = { steps: 50, learningRate: 1e3, headLearningRate: 1e3, weightDecay: 1e3, schedule: "constant" };
    const error = await job.caught(ia3, model.train("trained", job.EXAMPLES, { ...options, objective: "cross-entropy" }));
    return { error, scores: (await model.classify(job.TEXTS)).flatMap(({ scores }) => Object.values(scores)) };
  });
  isError(error, "diverged", /learningRate/);
  assert.equal(error.details.result.reason, "diverged");
  assert.ok(scores.every(Number.isFinite), `${scores}`);
});

test("a model that was disposed of says so, for calls under way too", async (t) => {
  const { page } = await openBroken(t);
  await ready(page);
  const errors = await page.evaluate(async () => {
    const running = job.caught(ia3, model.train("trained", job.EXAMPLES, { steps: 1000 }));
    await model.classify("a cat");
    model.dispose();
    model.dispose();
    return [await running, await job.caught(ia3, model.classify("a cat")), await job.caught(ia3, model.addAdapter("late"))];
  });
  for (const error of errors) isError(error, "disposed", /load it again/);
});

test("a panic rejects the call; the worker is replaced, adapters are restored and the next call works", async (t) => {
  // wasm-bindgen's script as it is, and a trap for one text: what a Rust panic looks like from outside.
  const arrange = (context) =>
    context.route("**/ia3-web/ia3_web.js", async (route) => {
      const response = await route.fetch();
      const trap = `
        import { Session as Trapped } from "./ia3_web.js";
        const { classify } = Trapped.prototype;
        Trapped.prototype.classify = function (texts, ...others) {
          if (texts.some(({ text }) => text === "panic")) throw new WebAssembly.RuntimeError("unreachable");
          return classify.call(this, texts, ...others);
        };`;
      await route.fulfill({ response, body: (await response.text()) + trap });
    });
  const { page } = await openBroken(t, {}, { arrange });
  await ready(page);
  const workers = [];
  page.on("worker", (worker) => workers.push(worker));
  const { before, errors, after, adapters } = await page.evaluate(async () => {
    const ask = async () => (await model.classify(job.TEXTS)).map(({ scores }) => ({ scores: job.LABELS.map((label) => scores[label]) }));
    const before = await ask();
    const waiting = job.caught(ia3, model.train("trained", job.EXAMPLES, { steps: 1000 }));
    const errors = [await job.caught(ia3, model.classify("panic")), await waiting];
    return { before, errors, after: await ask(), adapters: model.adapters };
  });
  for (const error of errors) isError(error, "panic", /adapters are kept/);
  assert.equal(workers.length, 1, "one worker more");
  assert.deepEqual(adapters, ["trained", "fresh"]);
  sameAnswers(after, before, "after the panic");
});

test("a GPU that is out of memory refuses a training run, and the next one works", async (t) => {
  const { page } = await openBroken(t);
  await ready(page, { device: "webgpu", worker: false, warmUp: false });
  const { error, reason } = await page.evaluate(async () => {
    const { popErrorScope } = GPUDevice.prototype;
    GPUDevice.prototype.popErrorScope = async function () {
      await popErrorScope.call(this);
      return new GPUOutOfMemoryError("pretended");
    };
    const error = await job.caught(ia3, model.train("trained", job.EXAMPLES, { steps: 2, maxLength: 8 }));
    GPUDevice.prototype.popErrorScope = popErrorScope;
    return { error, reason: (await model.train("trained", job.EXAMPLES, { steps: 2, maxLength: 8 })).reason };
  });
  isError(error, "out-of-memory", /batchSize|maxLength|memory/);
  assert.equal(reason, "completed");
});

test("a GPU that is lost while training is replaced, and the run ends where it would have", async (t) => {
  const { page } = await openBroken(t);
  await page.evaluate(() => {
    globalThis.opened = [];
    const { requestDevice } = GPUAdapter.prototype;
    GPUAdapter.prototype.requestDevice = async function (...options) {
      const device = await requestDevice.apply(this, options);
      opened.push(device);
      return device;
    };
  });
  await ready(page, { device: "webgpu", worker: false, warmUp: false });
  const found = await page.evaluate(async () => {
    const options = { steps: 8, batchSize: 4, learningRate: 2e-2, maxLength: 16, objective: "cross-entropy", seed: 3 };
    const train = async (name, lose) => {
      await model.addAdapter(name);
      const run = model.train(name, job.EXAMPLES, options);
      const events = [];
      for await (const event of run) {
        events.push(event);
        if (event.step === 3 && event.type === "step") lose();
      }
      const answers = (await model.classify(job.TEXTS, { adapter: name })).map(({ scores }) => ({ scores: Object.values(scores) }));
      return { events, answers, losses: (await run).losses };
    };
    const before = opened.length;
    const disturbed = await train("disturbed", () => opened.at(-1).destroy());
    const devices = opened.length - before;
    return { disturbed, devices, undisturbed: await train("undisturbed", () => {}) };
  });
  const { disturbed, undisturbed } = found;
  assert.equal(found.devices, 1, "devices opened after the loss");
  const lost = disturbed.events.find((event) => event.type === "device-lost");
  assert.ok(lost && lost.step >= 3, JSON.stringify(disturbed.events));
  const steps = disturbed.events.filter((event) => event.type === "step").map((event) => event.step);
  assert.deepEqual(steps, [1, 2, 3, 4, 5, 6, 7, 8]);
  close(disturbed.losses, undisturbed.losses, 1e-4, "losses");
  sameAnswers(disturbed.answers, undisturbed.answers, "after the run");
});

/** Loads a tiny model as `model` in the page, with an adapter that was trained a little. */
async function ready(page, options = {}) {
  await page.evaluate(async (options) => {
    globalThis.model = await ia3.Model.fromPretrained("tiny/bert-mean", { baseUrl: "/hub", device: "wasm", labels: job.LABELS, ...options });
    await model.addAdapter("trained");
    await model.train("trained", job.EXAMPLES, { steps: 2, batchSize: 4, maxLength: 16 });
    await model.addAdapter("fresh");
  }, options);
}
