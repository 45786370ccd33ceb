// A GGUF as a base model: read once from beginning to end, kept, checked and measured like the files of a folder.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CHAT_CONFIG, gguf, NAME } from "./gguf-fixtures.mjs";
import { cutOff, serveFiles } from "./server.mjs";
import { wasmError } from "./session.mjs";
import { source } from "./source.mjs";
import { FakeWorker, fakeCaches, fakeRuntime } from "./worker.mjs";

const { Loader } = await source("loader");
const { Model } = await source("model");
const { modelSource } = await source("source");
const { ggufStart } = await source("gguf");
const { measure: measured } = await source("header");

const FOLDER = "/owner/name/resolve/main/";
const HEAD = 200_000;
const FILE = gguf(HEAD);

/** Serves a GGUF until the test ends. */
async function hub(t, file = FILE, options) {
  const server = await serveFiles({ [FOLDER + NAME]: file }, options);
  t.after(() => server.close().catch(() => {}));
  return server;
}

/** Loads from a server; what happened is in the answer, also when loading fails. */
function start(server, { caches, faults = {}, given, signal = new AbortController().signal, ...options } = {}) {
  const sessions = (faults.sessions = []);
  const events = [];
  const args = {
    source: given ?? modelSource("owner/name", { baseUrl: server.url, ggufFile: NAME }),
    task: "text-generation", labels: [], pooling: "mean", device: "auto", cache: true, sha256: {}, chatTemplate: null, seed: 0, warmUp: null, ...options,
  };
  const loader = new Loader(args, fakeRuntime(faults, { caches }));
  return { events, sessions, loader, loaded: loader.load({ signal, emit: (event) => events.push(event) }) };
}

const weightsOf = (session) => Buffer.concat(session.fed);
const text = (bytes) => Buffer.from(bytes).toString();

test("its start makes the session, which is fed every byte of it, from one request", async (t) => {
  const server = await hub(t);
  const { loaded, sessions, events } = start(server, { sha256: { [NAME]: "ab" } });
  const { chat } = await loaded;
  const [, config, tokenizer] = sessions[0].calls[0];
  assert.deepEqual([text(config), text(tokenizer)], ['{"model_type":"llama"}', `{"of":"${NAME}"}`]);
  assert.deepEqual(weightsOf(sessions[0]), Buffer.from(FILE));
  assert.deepEqual(sessions[0].calls.find(([name]) => name === "beginFile").slice(1), [NAME, FILE.length, "ab"]);
  assert.deepEqual(server.requests.map(({ path }) => path), [FOLDER + NAME]);
  assert.deepEqual(chat, { template: CHAT_CONFIG.chat_template, tokens: { eos_token: "</s>" } });
  const told = events.filter(({ file }) => file === NAME).map(({ status }) => status);
  assert.deepEqual([told[0], told[1], told.at(-1)], ["initiate", "download", "done"]);
  assert.deepEqual(events.filter(({ status }) => status === "progress_total").at(-1).files, { [NAME]: { loaded: FILE.length, total: FILE.length } });
});

test("an option goes before its chat template, and other tasks have none", async (t) => {
  const server = await hub(t);
  assert.equal((await start(server, { chatTemplate: "mine" }).loaded).chat.template, "mine");
  assert.equal((await start(server, { task: "feature-extraction" }).loaded).chat.code, "no-chat-template");
});

test("its URL is enough, with what follows a question mark", async (t) => {
  const server = await serveFiles({ [`${FOLDER}${NAME}?download=true`]: FILE });
  t.after(() => server.close());
  const { loaded, sessions } = start(server, { given: modelSource(`${server.url}${FOLDER}${NAME}?download=true`, {}) });
  await loaded;
  assert.deepEqual(weightsOf(sessions[0]), Buffer.from(FILE));
  assert.deepEqual([sessions[0].options.modelId, sessions[0].calls.find(([name]) => name === "beginFile")[1]], [null, NAME]);
});

test("a file of the caller is streamed and never cached", async () => {
  const caches = fakeCaches();
  const blob = new Blob([FILE]);
  blob.arrayBuffer = () => assert.fail("it was read whole");
  const { loaded, sessions } = start({}, { caches, given: modelSource({ [`downloads/${NAME}`]: blob }, {}) });
  assert.equal((await loaded).chat.template, CHAT_CONFIG.chat_template);
  assert.deepEqual(weightsOf(sessions[0]), Buffer.from(FILE));
  assert.equal(caches.entries.size, 0);
});

test("the second load and a lost device work with the server off", async (t) => {
  const server = await hub(t);
  const caches = fakeCaches();
  await start(server, { caches }).loaded;
  assert.equal(caches.entries.size, 1);
  await server.close();
  const { loaded, loader, events } = start(server, { caches });
  const { session } = await loaded;
  assert.ok(events.find(({ status }) => status === "download").cached);
  await loader.reload(session, { signal: new AbortController().signal, emit: () => {} });
  assert.equal(session.calls.filter(([name]) => name === "openDevice").length, 2);
  assert.deepEqual(weightsOf(session), Buffer.from(FILE));
});

const DAMAGED = [["not-gguf", "ggufFiles", { file: NAME }], ["bad-config", "create", {}], ["bad-tokenizer", "create", {}], ["file-hash", "finishWeights", { file: NAME }]];

for (const [code, method, details] of DAMAGED) {
  test(`a kept copy that turns out ${code} is deleted and fetched again`, async (t) => {
    const server = await hub(t);
    const caches = fakeCaches();
    await start(server, { caches }).loaded;
    const { loaded, sessions } = start(server, { caches, faults: { [method]: [wasmError(code, details)] } });
    await loaded;
    assert.equal(server.requests.length, 2);
    assert.deepEqual(weightsOf(sessions.at(-1)), Buffer.from(FILE));
    assert.equal(caches.entries.size, 1);
  });
}

test("a model that cannot be used is refused at its start: nothing more is fetched, nothing is kept", async (t) => {
  let sent = 0;
  const size = 1e9;
  const chunk = new Uint8Array(100_000);
  const slow = (_request, response) => {
    response.writeHead(200, { "content-length": size });
    response.write(FILE.subarray(0, HEAD));
    const more = setInterval(() => (response.destroyed ? clearInterval(more) : response.write(chunk, () => (sent += chunk.length))), 1);
    response.on("close", () => clearInterval(more));
  };
  const server = await hub(t, slow);
  const caches = fakeCaches();
  const { loaded, sessions } = start(server, { caches, faults: { ggufFiles: [wasmError("unsupported-model", { modelType: "mamba" })] } });
  await assert.rejects(loaded, { code: "unsupported-model", details: { modelType: "mamba" } });
  assert.equal(sessions.length, 0);
  assert.equal(caches.entries.size, 0);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const before = sent;
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(sent, before, "the server still sends");
});

test("what its settings make of it is blamed on the file itself", async (t) => {
  const { loaded } = start(await hub(t), { faults: { create: [wasmError("bad-config", { field: "hidden_size" })] } });
  await assert.rejects(loaded, { code: "bad-config", message: /Tiny\.Q4_1\.gguf.*a message for bad-config/, details: { field: "hidden_size", file: NAME } });
});

test("a file that is none is named, and one that breaks off is truncated", async (t) => {
  await assert.rejects(start(await hub(t, new Uint8Array(HEAD))).loaded, { code: "not-gguf", details: { file: NAME } });
  const half = await hub(t, cutOff(gguf(HEAD, HEAD + 10)));
  await assert.rejects(start(half).loaded, { code: "file-truncated", details: { file: NAME, expected: HEAD + 10, actual: HEAD / 2 + 5 } });
  const whole = start({}, { given: modelSource({ [NAME]: FILE.slice(0, 1000) }, {}) });
  await assert.rejects(whole.loaded, { code: "file-truncated", details: { file: NAME, expected: 1001, actual: 1000 } });
});

test("an abort in the middle of its start rejects with the signal's reason", async (t) => {
  const controller = new AbortController();
  const slow = (_request, response) => {
    response.writeHead(200, { "content-length": FILE.length });
    response.write(FILE.subarray(0, 1000), () => setTimeout(() => controller.abort(new Error("enough")), 20));
  };
  const caches = fakeCaches();
  await assert.rejects(start(await hub(t, slow), { signal: controller.signal, caches }).loaded, /enough/);
  assert.equal(caches.entries.size, 0);
});

test("the start is tried again whenever a quarter more has come, and at the end", async () => {
  const tried = async (size, head) => {
    const faults = { starts: [] };
    const { ggufFiles } = await fakeRuntime(faults).glue();
    async function* chunks() {
      for (let at = 0; at < size; at += 100) yield gguf(head, size).subarray(at, at + 100);
    }
    const { bytes } = await ggufStart(NAME, chunks(), { ggufFiles });
    return [...faults.starts, bytes.length];
  };
  assert.deepEqual(await tried(2000, 900), [100, 200, 300, 400, 500, 700, 900, 900]);
  assert.deepEqual(await tried(1000, 1000), [100, 200, 300, 400, 500, 700, 900, 1000, 1000]);
});

const MIB = 2 ** 20;

/** `Model.estimate` of a GGUF on a server; `seen` takes what the module was given. */
async function measure(t, file, { ranges = true, seen = [], ...options } = {}) {
  const server = await hub(t, file, { ranges });
  const runtime = fakeRuntime();
  const estimate = (config, starts, { batchSize }) => {
    seen.push({ config, starts: starts.map(({ length }) => length) });
    return { weightBytes: 7, memoryBytes: 1000 * batchSize };
  };
  const worker = () => new FakeWorker({ ...runtime, glue: async () => ({ ...(await runtime.glue()), estimate }) });
  const found = await Model.estimate("owner/name", { baseUrl: server.url, ggufFile: NAME, worker, ...options });
  return { found, ranges: server.requests.map(({ range }) => range) };
}

test("an estimate fetches the start in parts that double, and no byte twice", async (t) => {
  const seen = [];
  const { found, ranges } = await measure(t, gguf(3 * MIB, 9 * MIB), { seen });
  assert.deepEqual([found.downloadBytes, found.memoryBytes], [9 * MIB, 8000]);
  assert.deepEqual(ranges, [[0, 1], [1, 2], [2, 4]].map(([from, to]) => `bytes=${from * MIB}-${to * MIB - 1}`));
  assert.equal(seen[0].config, '{"model_type":"llama"}');
  assert.ok(seen[0].starts[0] >= 3 * MIB && seen[0].starts[0] <= 4 * MIB);
});

test("a server without ranges is cut off after the start", async (t) => {
  const seen = [];
  const { found, ranges } = await measure(t, gguf(3 * MIB, 50 * MIB), { seen, ranges: false });
  assert.equal(ranges.length, 1);
  assert.equal(found.downloadBytes, 50 * MIB);
  assert.ok(seen[0].starts[0] < 5 * MIB);
});

test("where the server hides the size, that of the weights stands for it", async (t) => {
  const file = gguf(1000, 5000);
  const hidden = (_request, response) => response.writeHead(206, { "content-range": "bytes 0-4999/*" }).end(file);
  assert.equal((await measure(t, hidden)).found.downloadBytes, 7);
});

test("an estimate of what is no GGUF, or ends too early, says so", async (t) => {
  await assert.rejects(measure(t, new Uint8Array(2 * MIB)), { code: "not-gguf", details: { file: NAME } });
  await assert.rejects(measure(t, gguf(2 * MIB, MIB)), { code: "file-truncated", details: { file: NAME, expected: MIB + 1, actual: MIB } });
});

test("a file at hand costs no download, and is sliced", async () => {
  const blob = new Blob([gguf(3 * MIB, 9 * MIB)]);
  blob.arrayBuffer = blob.stream = () => assert.fail("it was read whole");
  const faults = { starts: [] };
  const { downloadBytes } = await measured({ source: modelSource({ [NAME]: blob }, {}), batchSize: 1 }, fakeRuntime(faults), new AbortController().signal);
  assert.equal(downloadBytes, 0);
  assert.ok(faults.starts.at(-1) <= 4 * MIB);
});
