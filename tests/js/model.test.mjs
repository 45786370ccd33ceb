// The public API over the real engine and protocol; only the session pretends.

import assert from "node:assert/strict";
import { test } from "node:test";
import { panic, wasmError } from "./session.mjs";
import { source } from "./source.mjs";
import { FILES, FakeWorker, fakeRuntime } from "./worker.mjs";

const { Model } = await source("model");
const { Ia3Error } = await source("errors");

const EXAMPLES = [{ text: "give it back", label: "refund" }, { text: "it crashes", label: "bug" }];

/** A model with a fake worker; `workers` and `sessions` list all that were made. */
async function load(t, { faults = {}, ...options } = {}) {
  const workers = [];
  const sessions = (faults.sessions = []);
  const worker = () => {
    workers.push(new FakeWorker(fakeRuntime(faults)));
    return workers.at(-1);
  };
  const model = await Model.fromPretrained(FILES, { labels: ["refund", "bug"], worker, cache: false, ...options });
  t.after(() => model.dispose());
  return { model, workers, sessions };
}

const labels = (answers) => answers.map(({ label }) => label);

test("loading tells how far it is and ends with ready", async (t) => {
  const events = [];
  const { model } = await load(t, { onProgress: (event) => events.push(event) });
  assert.deepEqual(events.at(-1), { status: "ready", task: "text-classification", model: "files" });
  assert.deepEqual([model.device, model.deviceInfo.reason, model.memory().weightBytes], ["wasm", "a test", 100]);
});

test("WebGPU warms up while loading, unless told not to", async (t) => {
  const events = [];
  const { sessions } = await load(t, { device: "webgpu", warmUp: { maxLength: 32 }, onProgress: (event) => events.push(event) });
  const told = { status: "warm-up", name: "files", device: "webgpu", progress: 25, loaded: 1, total: 4 };
  assert.deepEqual(events.filter(({ status }) => status === "warm-up"), [told]);
  assert.deepEqual(sessions[0].calls.find(([name]) => name === "warmUp"), ["warmUp", 8, 32]);
  const cold = await load(t, { device: "webgpu", warmUp: false });
  assert.ok(!cold.sessions[0].calls.some(([name]) => name === "warmUp"));
});

test("the session is told the base's id, labels, head and number formats", async (t) => {
  const { sessions } = await load(t, { modelId: "owner/name", pooling: "pooler", seed: 3, dtype: "q8", activationDtype: "f16" });
  assert.deepEqual(sessions[0].options, {
    modelId: "owner/name", revision: null, task: "text-classification", labels: ["refund", "bug"], pooling: "pooler", seed: 3, dtype: "q8",
    activationDtype: "f16",
  });
});

test("a load that fails leaves no worker behind", async () => {
  const worker = new FakeWorker(fakeRuntime({ openDevice: [wasmError("webgpu-unavailable")] }));
  const loading = Model.fromPretrained(FILES, { worker: () => worker, labels: ["a", "b"] });
  await assert.rejects(loading, (error) => error instanceof Ia3Error && error.code === "webgpu-unavailable");
  assert.equal(worker.terminated, true);
});

test("a load is given up with the signal's reason", async () => {
  const controller = new AbortController();
  const worker = new FakeWorker(fakeRuntime({ delay: 1000 }));
  const loading = Model.fromPretrained(FILES, { worker: () => worker, signal: controller.signal });
  setTimeout(() => controller.abort(new Error("closed")), 5);
  await assert.rejects(loading, /closed/);
  assert.equal(worker.terminated, true);
});

test("the signal of a load does not stop the model later", async (t) => {
  const controller = new AbortController();
  const { model, workers } = await load(t, { signal: controller.signal });
  controller.abort();
  workers[0].crash("out of bounds");
  assert.deepEqual(labels(await model.classify("a")), ["base"]);
});

test("the first adapter becomes active, the second does not", async (t) => {
  const { model } = await load(t);
  await model.addAdapter("one");
  await model.addAdapter("two");
  assert.deepEqual([model.adapters, model.activeAdapter], [["one", "two"], "one"]);
});

test("the active adapter is switched, multiplied and left", async (t) => {
  const { model } = await load(t);
  await model.addAdapter("one");
  await model.addAdapter("two");
  for (const [choice, label] of [["two", "two"], [["one", "two"], "one*two"], [null, "base"]]) {
    model.setAdapter(choice);
    assert.deepEqual(model.activeAdapter, choice);
    assert.deepEqual(labels(await model.classify("a")), [label]);
  }
});

test("an unknown adapter is refused with the known ones", async (t) => {
  const { model } = await load(t);
  await model.addAdapter("one");
  assert.throws(() => model.setAdapter("on"), { code: "unknown-adapter", details: { adapter: "on", known: ["one"] } });
  await assert.rejects(model.classify("a", { adapter: "on" }), { code: "unknown-adapter" });
});

test("each row can have an adapter of its own, over more rows than fit one pass", async (t) => {
  const { model, sessions } = await load(t);
  await model.addAdapter("one");
  const texts = Array.from({ length: 300 }, (_, row) => `text ${row}`);
  const adapter = texts.map((_, row) => (row % 3 === 0 ? null : "one"));
  assert.deepEqual(labels(await model.classify(texts, { adapter })), adapter.map((name) => name ?? "base"));
  assert.ok(sessions[0].calls.filter(([name]) => name === "classify").length > 1);
});

test("a deleted adapter is no longer active", async (t) => {
  const { model } = await load(t);
  await model.addAdapter("one");
  await model.deleteAdapter("one");
  assert.deepEqual([model.adapters, model.activeAdapter], [[], null]);
});

test("embeddings come one per text, with what was cut", async (t) => {
  const { model } = await load(t);
  const vectors = await model.embed(["abc", "x".repeat(30)]);
  assert.deepEqual([vectors.length, [...vectors[0]], vectors.truncated], [2, [3, -3], [false, true]]);
});

test("training changes the adapter that is saved", async (t) => {
  const { model } = await load(t);
  await model.addAdapter("one");
  const run = model.train("one", EXAMPLES, { steps: 2 });
  const events = [];
  for await (const event of run) events.push(event.type);
  assert.deepEqual(events, ["step", "step", "end"]);
  assert.deepEqual((await run).losses, [1, 0.5]);
  assert.equal(Buffer.from((await model.saveAdapter("one"))["adapter_model.safetensors"]).toString(), "trained 2");
});

test("training and classifying take turns", async (t) => {
  const { model } = await load(t, { faults: { delay: 1 } });
  await model.addAdapter("one");
  const run = model.train("one", EXAMPLES, { steps: 20 });
  assert.deepEqual(labels(await model.classify(["a", "b"])), ["one", "one"]);
  assert.equal((await run).steps, 20);
});

test("an abort keeps the vectors so far", async (t) => {
  const { model } = await load(t);
  await model.addAdapter("one");
  const controller = new AbortController();
  const run = model.train("one", EXAMPLES, { steps: 1e6, signal: controller.signal });
  for await (const event of run) if (event.step === 2) controller.abort();
  await assert.rejects(run, { name: "AbortError" });
  assert.match(Buffer.from((await model.saveAdapter("one"))["adapter_model.safetensors"]).toString(), /^trained \d$/);
});

test("a failed run keeps the vectors so far and says what it achieved", async (t) => {
  const { model } = await load(t, { faults: { trainStep: [0, 0, wasmError("out-of-memory")] } });
  await model.addAdapter("one");
  await assert.rejects(model.train("one", EXAMPLES, { steps: 9 }), (error) =>
    error.code === "out-of-memory" && error.details.result.steps === 2 && error.details.result.reason === "failed");
  assert.equal(Buffer.from((await model.saveAdapter("one"))["adapter_model.safetensors"]).toString(), "trained 2");
});

test("a loss that is no number is an error, and the adapter stays usable", async (t) => {
  const { model } = await load(t, { faults: { divergeAt: 2 } });
  await model.addAdapter("one");
  await assert.rejects(model.train("one", EXAMPLES, { steps: 9 }), { code: "diverged" });
  assert.deepEqual(labels(await model.classify("a")), ["one"]);
});

test("a device lost while training is replaced, and the page is told", async (t) => {
  const { model, sessions } = await load(t, { faults: { trainStep: [0, wasmError("device-lost")] } });
  await model.addAdapter("one");
  const events = [];
  const run = model.train("one", EXAMPLES, { steps: 2 });
  for await (const event of run) events.push([event.type, event.step]);
  assert.deepEqual(events, [["step", 1], ["device-lost", 1], ["step", 2], ["end", undefined]]);
  assert.equal(sessions.length, 1);
  assert.equal(sessions[0].calls.filter(([name]) => name === "openDevice").length, 2);
});

test("a device lost while classifying is replaced, and the call answered", async (t) => {
  const { model, sessions } = await load(t, { faults: { classify: [wasmError("device-lost")] } });
  assert.deepEqual(labels(await model.classify("a")), ["base"]);
  assert.equal(Buffer.concat(sessions[0].fed).length, 300_000);
});

for (const where of ["in the call", "in the worker"]) {
  test(`after a panic ${where} the next call has a fresh worker and all adapters`, async (t) => {
    const faults = { classify: [], delay: 5 };
    const { model, workers, sessions } = await load(t, { faults });
    await model.addAdapter("fresh", { seed: 7 });
    await model.addAdapter("trained");
    await model.train("trained", EXAMPLES, { steps: 2 });
    if (where === "in the call") faults.classify.push(panic());
    const calls = [model.classify("a"), model.embed("b")];
    if (where === "in the worker") setTimeout(() => workers[0].crash("Uncaught RuntimeError: unreachable"), 2);
    for (const result of await Promise.allSettled(calls)) assert.equal(result.reason?.code, "panic");
    assert.deepEqual(labels(await model.classify(["a", "b"], { adapter: ["fresh", "trained"] })), ["fresh", "trained"]);
    assert.deepEqual(workers.map(({ terminated }) => terminated), [true, false]);
    assert.deepEqual([...sessions[1].adapters], [["fresh", "fresh"], ["trained", "trained 2"]]);
    assert.deepEqual(sessions[1].calls.find(([name]) => name === "addAdapter"), ["addAdapter", "fresh", { seed: 7 }]);
  });
}

test("a panic while training rejects the run and keeps the adapter as it was", async (t) => {
  const { model } = await load(t, { faults: { trainStep: [0, panic()] } });
  await model.addAdapter("one");
  await assert.rejects(model.train("one", EXAMPLES), { code: "panic" });
  assert.equal((await model.train("one", EXAMPLES)).steps, 3);
});

test("a worker of the caller's is not terminated, and cannot be replaced", async (t) => {
  const worker = new FakeWorker(fakeRuntime({ classify: [panic()] }));
  globalThis.Worker = FakeWorker;
  t.after(() => delete globalThis.Worker);
  t.after(() => worker.terminate());
  const model = await Model.fromPretrained(FILES, { worker, cache: false });
  await assert.rejects(model.classify("a"), { code: "panic" });
  await assert.rejects(model.classify("a"), { code: "panic", message: /cannot be replaced/ });
  assert.equal(worker.terminated, false);
});

test("a disposed model of the caller's worker is freed there", async (t) => {
  const faults = { sessions: [] };
  const worker = new FakeWorker(fakeRuntime(faults));
  globalThis.Worker = FakeWorker;
  t.after(() => delete globalThis.Worker);
  t.after(() => worker.terminate());
  const model = await Model.fromPretrained(FILES, { worker, cache: false });
  model.dispose();
  const again = await Model.fromPretrained(FILES, { worker, cache: false });
  assert.deepEqual(faults.sessions.map(({ freed }) => freed), [true, false]);
  again.dispose();
});

test("a worker script that does not load is named", async () => {
  const worker = new FakeWorker(fakeRuntime({ delay: 1000 }));
  worker.postMessage = () => {};
  setTimeout(() => worker.crash(undefined), 1);
  await assert.rejects(Model.fromPretrained(FILES, { worker: () => worker }), { code: "file-unreachable", message: /worker\.js/ });
});

test("after dispose every call rejects, those under way too", async (t) => {
  const { model, workers } = await load(t, { faults: { delay: 20 } });
  await model.addAdapter("one");
  const pending = [model.classify("a"), model.train("one", EXAMPLES).then()];
  await new Promise((resolve) => setTimeout(resolve, 5));
  model.dispose();
  model.dispose();
  for (const call of [...pending, model.embed("a"), model.addAdapter("two")]) await assert.rejects(call, { code: "disposed" });
  assert.equal(workers[0].terminated, true);
});

test("using disposes", async (t) => {
  const { model } = await load(t);
  assert.equal(typeof model[Symbol.asyncDispose], "function");
  model[Symbol.dispose]();
  await assert.rejects(model.classify("a"), { code: "disposed" });
});

test("an adapter that is saved loads again, with warnings passed on", async (t) => {
  const { model, sessions } = await load(t);
  await model.addAdapter("one");
  const files = await model.saveAdapter("one");
  assert.deepEqual(await model.loadAdapter("two", files), { warnings: [] });
  assert.deepEqual(Object.keys(sessions[0].calls.find(([name]) => name === "loadAdapter")[2]), Object.keys(files));
  await assert.rejects(model.loadAdapter("two", files), { code: "adapter-exists" });
  files["adapter_config.json"].fill(0);
  assert.equal(Buffer.from((await model.saveAdapter("one"))["adapter_config.json"]).toString(), "{}");
});

test("adapters are combined", async (t) => {
  const { model, sessions } = await load(t);
  await model.addAdapter("one");
  await model.addAdapter("two");
  await model.combineAdapters("both", ["one", "two"], { weights: [0.5, 0.5], missing: "zero" });
  assert.deepEqual(model.adapters, ["one", "two", "both"]);
  assert.deepEqual(sessions[0].calls.at(-2).slice(0, 3), ["combineAdapters", "both", ["one", "two"]]);
});

test("a merge is streamed piece by piece, as it is read", async (t) => {
  const { model, sessions } = await load(t);
  await model.addAdapter("one");
  const stream = await model.mergeAdapter("one");
  assert.equal(stream.size, 9);
  assert.equal(sessions[0].merge.length, 3);
  assert.equal(await new Response(stream).text(), "onetwosix");
});

test("a merge is told the kind of file and says which it is", async (t) => {
  const { model, sessions } = await load(t);
  await model.addAdapter("one");
  assert.equal((await model.mergeAdapter("one")).format, "safetensors");
  assert.equal((await model.mergeAdapter("one", { format: "gguf", requantise: true })).format, "gguf");
  assert.deepEqual(sessions[0].calls.at(-1).slice(0, 3), ["beginMerge", "one", { format: "gguf", requantise: true }]);
  await assert.rejects(model.mergeAdapter("one", { format: "onnx" }), { code: "bad-option" });
  await assert.rejects(model.mergeAdapter("one", { requantize: true }), { code: "bad-option" });
});

test("a later merge ends the stream of an earlier one", async (t) => {
  const { model } = await load(t);
  await model.addAdapter("one");
  const first = await model.mergeAdapter("one");
  const second = await model.mergeAdapter("one");
  await assert.rejects(first.getReader().read(), { code: "aborted" });
  assert.equal(await new Response(second).text(), "onetwosix");
});

test("a merge does not go on in a fresh worker", async (t) => {
  const { model, workers } = await load(t);
  await model.addAdapter("one");
  const stream = await model.mergeAdapter("one");
  workers[0].crash("gone");
  await model.classify("a");
  await assert.rejects(stream.getReader().read(), { code: "aborted" });
});

test("a call is given up at once with the signal's reason", async (t) => {
  const { model } = await load(t, { faults: { delay: 50 } });
  const controller = new AbortController();
  const call = model.classify(["a"], { signal: controller.signal });
  setTimeout(() => controller.abort(new Error("typed on")), 1);
  await assert.rejects(call, /typed on/);
});

test("an unknown option is refused by name, with the known ones", async (t) => {
  const { model } = await load(t);
  await assert.rejects(model.train("one", EXAMPLES, { lr: 1 }), { code: "bad-option", message: /unknown option lr.*learningRate/ });
  await assert.rejects(model.addAdapter("one", { constructor: 1 }), { code: "bad-option", details: { option: "constructor" } });
});

test("an option of the wrong type is refused by name", async (t) => {
  const { model } = await load(t);
  await model.addAdapter("one");
  const refused = (option, value) =>
    assert.rejects(model.train("one", EXAMPLES, { [option]: value }), { code: "bad-option", details: { option, value: String(value) } });
  for (const [option, value] of [["steps", 1.5], ["steps", 0], ["objective", "mse"], ["learningRate", "fast"], ["seed", -1], ["activationCheckpointing", "yes"]]) await refused(option, value);
  await assert.rejects(Model.fromPretrained(FILES, { device: "cuda" }), { code: "bad-option", message: /"webgpu"/ });
  await assert.rejects(Model.fromPretrained(FILES, { warmUp: { batch: 1 } }), { code: "bad-option", message: /batchSize/ });
});

test("undefined options are left out", async (t) => {
  const { model, sessions } = await load(t);
  await model.addAdapter("one", { seed: undefined });
  assert.deepEqual(sessions[0].calls.find(([name]) => name === "addAdapter")[2], {});
});

test("examples lose the fields that are not ours", async (t) => {
  const { model, sessions } = await load(t);
  await model.addAdapter("one");
  await model.train("one", EXAMPLES.map((example) => ({ ...example, id: 1 })), { steps: 1, validation: EXAMPLES });
  const [, , examples, options] = sessions[0].calls.find(([name]) => name === "beginTraining");
  assert.deepEqual([examples, options], [EXAMPLES, { steps: 1, validation: EXAMPLES }]);
});

test("an example without a label is named", async (t) => {
  const { model } = await load(t);
  await assert.rejects(model.evaluate([{ text: "a" }]), { code: "bad-option", details: { index: 0, field: "label" } });
});

test("trainable parameters are known at once", async (t) => {
  const { model } = await load(t);
  await model.addAdapter("one");
  assert.deepEqual(model.trainableParameters("one"), { trainable: 14, total: 1400, percentage: 1 });
  assert.throws(() => model.trainableParameters("two"), { code: "unknown-adapter" });
});

test("choices and templates reach the session without what else a row holds", async (t) => {
  const { model, sessions } = await load(t, { task: "text-generation", labels: [] });
  const template = { prompt: "{{text}} spam?", choices: { spam: " yes", ham: " no" } };
  const rows = [{ input: "a", choices: ["b", "c"], id: 1 }, { text: "d", template, id: 2 }];
  const chosen = await model.choose(rows, { lengthNorm: 0 });
  assert.deepEqual(chosen.map(({ choice }) => choice), ["b", "spam"]);
  const [, passed, , options] = sessions[0].calls.find(([name]) => name === "choose");
  assert.deepEqual([passed, options], [[{ input: "a", choices: ["b", "c"] }, { text: "d", template }], { lengthNorm: 0 }]);
  await model.addAdapter("a");
  const examples = [{ ...rows[0], answer: "c" }, { text: "d", label: "ham", templates: [template], id: 3 }];
  await model.train("a", examples, { preset: "tFew", steps: 1 });
  const [, , trained] = sessions[0].calls.find(([name]) => name === "beginTraining");
  assert.deepEqual(trained, [{ input: "a", choices: ["b", "c"], answer: "c" }, { text: "d", label: "ham", templates: [template] }]);
});

test("packing reaches the session and is a flag", async (t) => {
  const { model, sessions } = await load(t, { task: "text-generation", labels: [] });
  await model.addAdapter("a");
  await model.train("a", [{ text: "b" }], { packing: true, steps: 1 });
  const [, , , options] = sessions[0].calls.find(([name]) => name === "beginTraining");
  assert.deepEqual(options, { packing: true, steps: 1 });
  await assert.rejects(model.train("a", [{ text: "b" }], { packing: "yes" }), { code: "bad-option" });
});

test("rows without choices, answers or whole templates are refused by name", async (t) => {
  const { model } = await load(t, { task: "text-generation", labels: [] });
  const refused = (run, field) => assert.rejects(run, (error) => error.code === "bad-option" && error.details.field === field);
  await refused(model.choose([{ input: "a", choices: [1] }]), "choices");
  await refused(model.choose([{ text: "a", template: { prompt: "b" } }]), "template");
  await refused(model.train("a", [{ input: "a", choices: ["b", "c"] }]), "answer");
  await refused(model.train("a", [{ text: "a", label: "b", templates: {} }]), "templates");
});

test("an adapter starts from another by name or by files, and is restored by its own", async (t) => {
  const { model, sessions } = await load(t);
  const files = { "adapter_config.json": new Uint8Array(1), "adapter_model.safetensors": new Uint8Array(2) };
  await model.addAdapter("one");
  await model.addAdapter("two", { from: "one" });
  await model.addAdapter("three", { from: files, seed: 1 });
  const started = sessions[0].calls.filter(([name]) => name === "addAdapter").map(([, , options, from]) => [options, from]);
  assert.deepEqual(started, [[{}, undefined], [{}, "one"], [{ seed: 1 }, files]]);
  await assert.rejects(model.addAdapter("four", { from: "none" }), { code: "unknown-adapter" });
  await assert.rejects(model.addAdapter("four", { from: 1 }), { code: "bad-option" });
});

const CHAT = [{ role: "user", content: "hi", id: 7 }, { role: "assistant", content: "hello" }];
const TEMPLATE = "{{ bos_token }}{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";

test("conversations reach the session as the template writes them", async (t) => {
  const { model, sessions } = await load(t, { task: "text-generation", labels: [], chatTemplate: TEMPLATE });
  assert.equal(await model.applyChatTemplate(CHAT), "user:hi;assistant:hello;");
  assert.equal(await model.applyChatTemplate(CHAT.slice(0, 1), { addGenerationPrompt: true }), "user:hi;assistant:");
  await model.addAdapter("a");
  const pieces = [{ text: "user:hi;assistant:", learned: false }, { text: "hello;", learned: true }];
  await model.train("a", [{ messages: CHAT }, { text: "b" }], { steps: 1, validation: [{ messages: CHAT }] });
  const [, , examples, options] = sessions[0].calls.find(([name]) => name === "beginTraining");
  assert.deepEqual([examples, options], [[{ pieces }, { text: "b" }], { steps: 1, validation: [{ pieces }] }]);
  await model.evaluate([{ messages: CHAT }]);
  assert.deepEqual(sessions[0].calls.find(([name]) => name === "evaluate")[1], [{ pieces }]);
  const rendered = { rendered: "user:hi;assistant:" };
  await model.score({ prompt: CHAT.slice(0, 1), continuation: "hello" });
  assert.deepEqual(sessions[0].calls.find(([name]) => name === "score")[1], [{ prompt: rendered, continuation: "hello" }]);
  await model.choose({ input: CHAT.slice(0, 1), choices: ["a", "b"] });
  assert.deepEqual(sessions[0].calls.find(([name]) => name === "choose")[1], [{ input: rendered, choices: ["a", "b"] }]);
});

test("a conversation that cannot be written is named, and the model goes on", async (t) => {
  const template = "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{{ messages | length }}";
  const { model } = await load(t, { task: "text-generation", labels: [], chatTemplate: template });
  await model.addAdapter("a");
  const system = [{ role: "system", content: "a" }, CHAT[1]];
  const expected = { name: "Ia3Error", code: "chat-template-failed", message: /input 1: System role not supported/, details: { index: 1 } };
  await assert.rejects(model.evaluate([{ text: "a" }, { messages: system }]), expected);
  await assert.rejects(model.train("a", [{ text: "a" }, { messages: system }]), expected);
  await assert.rejects(model.train("a", [{ messages: CHAT }]), { code: "chat-template-failed", details: { index: 0, turn: 1 } });
  await model.train("a", [{ text: "a" }], { steps: 1 });
});

test("without a template messages say what to do, and all else works", async (t) => {
  const { model } = await load(t, { task: "text-generation", labels: [] });
  await assert.rejects(model.applyChatTemplate(CHAT), { code: "no-chat-template", message: /chatTemplate/ });
  await assert.rejects(model.score({ prompt: CHAT, continuation: "a" }), { code: "no-chat-template" });
  await model.score({ prompt: "a", continuation: "b" });
});

test("chat templates are for text-generation", async (t) => {
  const { model } = await load(t);
  await assert.rejects(model.applyChatTemplate(CHAT), { code: "bad-option", message: /text-generation/ });
  const wrong = Model.fromPretrained(FILES, { chatTemplate: TEMPLATE });
  await assert.rejects(wrong, { code: "bad-option", details: { option: "chatTemplate" } });
  const generation = await load(t, { task: "text-generation", labels: [], chatTemplate: TEMPLATE });
  await assert.rejects(generation.model.applyChatTemplate([]), { code: "bad-option" });
  await assert.rejects(generation.model.applyChatTemplate([{ role: "user" }]), { code: "bad-option", details: { message: 0, field: "content" } });
});

test("choices of a new adapter and rates of layers reach the session", async (t) => {
  const { model, sessions } = await load(t);
  const choices = [{ shift: true, perHead: true, init: { normal: 0.02 }, seed: 1 }, { init: { uniform: 0.1 } }, { init: "ones" }];
  for (const [at, options] of choices.entries()) await model.addAdapter(`a${at}`, options);
  const added = sessions[0].calls.filter(([name]) => name === "addAdapter").map(([, , options]) => options);
  assert.deepEqual(added, choices);
  for (const layerLearningRates of [[1, 0.5], { 1: 0 }]) await model.train("a0", EXAMPLES, { steps: 1, layerLearningRates });
  const trained = sessions[0].calls.filter(([name]) => name === "beginTraining").map(([, , , options]) => options.layerLearningRates);
  assert.deepEqual(trained, [[1, 0.5], { 1: 0 }]);
});

test("choices that make no sense are refused by name", async (t) => {
  const { model } = await load(t);
  await model.addAdapter("one");
  const refused = (run, option, message) => assert.rejects(run, (error) => error.code === "bad-option" && error.details.option === option && message.test(error.message));
  for (const init of ["zeros", {}, { normal: "0.1" }, { normal: NaN }, { normal: 0.1, uniform: 0.1 }, { std: 1 }, 1, null]) {
    await refused(model.addAdapter("two", { init }), "init", /"ones".*normal or uniform/);
  }
  for (const option of ["shift", "perHead"]) await refused(model.addAdapter("two", { [option]: 1 }), option, /true or false/);
  for (const layerLearningRates of ["1", 1, [1, "2"], [NaN], { 0: Infinity }, null]) {
    await refused(model.train("one", EXAMPLES, { layerLearningRates }), "layerLearningRates", /a list of numbers or an object of numbers/);
  }
  await refused(model.saveAdapter("one", { format: "lora" }), "format", /"peft"/);
  assert.deepEqual(model.adapters, ["one"]);
});

test("a plain PEFT export is what PEFT reads, and refused where that is not all", async (t) => {
  const { model } = await load(t);
  await model.addAdapter("heads", { perHead: true });
  await model.addAdapter("shifted", { shift: true });
  const plain = ["adapter_config.json", "adapter_model.safetensors"];
  assert.deepEqual(Object.keys(await model.saveAdapter("heads", { format: "peft" })), plain);
  assert.deepEqual(Object.keys(await model.saveAdapter("heads")), [...plain, "ia3_options.json"]);
  assert.deepEqual(Object.keys(await model.saveAdapter("shifted", { format: "ia3-web" })), [...plain, "ia3_shift.safetensors"]);
  await assert.rejects(model.saveAdapter("shifted", { format: "peft" }), (error) =>
    error instanceof Ia3Error && error.code === "bad-adapter" && /"shifted".*shift.*PEFT/.test(error.message));
  await assert.rejects(model.saveAdapter("none", { format: "peft" }), { code: "unknown-adapter" });
});
