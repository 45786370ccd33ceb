// Loading a base model: downloads, checks, progress and the cache, over a real HTTP server.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { cutOff, serveFiles } from "./server.mjs";
import { wasmError } from "./session.mjs";
import { source } from "./source.mjs";
import { FILES, fakeCaches, fakeRuntime } from "./worker.mjs";

const { Loader } = await source("loader");
const { modelSource } = await source("source");

const FOLDER = "/owner/name/resolve/main/";
const paths = (files) => Object.fromEntries(Object.entries(files).map(([name, contents]) => [FOLDER + name, contents]));
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** Serves a model (with `files` instead of its own) until the test ends. */
async function hub(t, files = {}) {
  const server = await serveFiles(paths({ ...FILES, ...files }));
  t.after(() => server.close().catch(() => {}));
  return server;
}

/** Loads from a server; what happened is in the answer, also when loading fails. */
function start(server, { caches, faults = {}, signal = new AbortController().signal, ...options } = {}) {
  const sessions = (faults.sessions = []);
  const events = [];
  const args = {
    source: modelSource("owner/name", { baseUrl: server.url }),
    task: "feature-extraction", labels: [], pooling: "mean", device: "auto", cache: true, sha256: {}, chatTemplate: null, seed: 0, warmUp: null, ...options,
  };
  const loader = new Loader(args, fakeRuntime(faults, { caches }));
  return { events, sessions, loader, loaded: loader.load({ signal, emit: (event) => events.push(event) }) };
}

const weightsOf = (session) => Buffer.concat(session.fed);
const statuses = (events, file) => events.filter((event) => event.file === file).map((event) => event.status);

test("the files of a Hub id reach the session whole", async (t) => {
  const { loaded, sessions } = start(await hub(t));
  const { device } = await loaded;
  assert.equal(device.device, "wasm");
  assert.deepEqual(sessions[0].calls[0].slice(1, 3).map((bytes) => Buffer.from(bytes).toString()), ['{"model_type":"bert"}', "{}"]);
  assert.deepEqual(weightsOf(sessions[0]), Buffer.from(FILES["model.safetensors"]));
});

test("weights are fed in pieces, with their announced length and hash", async (t) => {
  const { loaded, sessions } = start(await hub(t), { sha256: { "model.safetensors": "ab" } });
  await loaded;
  assert.ok(sessions[0].fed.length > 1);
  assert.deepEqual(sessions[0].calls.find(([name]) => name === "beginFile").slice(1), ["model.safetensors", 300_000, "ab"]);
});

test("progress has the shapes of transformers.js and counts to the end", async (t) => {
  const { loaded, events } = start(await hub(t));
  await loaded;
  const seen = statuses(events, "model.safetensors");
  assert.deepEqual([seen[0], seen[1], seen.at(-1)], ["initiate", "download", "done"]);
  const total = events.filter((event) => event.status === "progress_total").at(-1);
  assert.equal(total.progress, 100);
  assert.deepEqual(total.files["model.safetensors"], { loaded: 300_000, total: 300_000 });
  const last = events.filter((event) => event.status === "progress" && event.file === "model.safetensors").at(-1);
  assert.deepEqual([last.loaded, last.total, last.progress, last.name], [300_000, 300_000, 100, "owner/name"]);
});

test("a missing file is named with its URL", async (t) => {
  const server = await serveFiles({});
  t.after(() => server.close());
  const { loaded } = start(server);
  await assert.rejects(loaded, (error) => error.code === "file-unreachable" && error.details.status === 404 && error.message.includes(FOLDER));
});

test("a server that is off is unreachable", async (t) => {
  const server = await hub(t);
  await server.close();
  await assert.rejects(start(server).loaded, { code: "file-unreachable" });
});

test("a web page in place of a file is refused", async (t) => {
  const page = (_request, response) => response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end("<p>");
  await assert.rejects(start(await hub(t, { "config.json": page })).loaded, { code: "file-unreachable", message: /web page/ });
});

test("a connection that breaks is a truncated file", async (t) => {
  const server = await hub(t, { "model.safetensors": cutOff(FILES["model.safetensors"]) });
  const { loaded, sessions } = start(server);
  await assert.rejects(loaded, { code: "file-truncated", details: { file: "model.safetensors", expected: 300_000, actual: 150_000 } });
  assert.equal(sessions[0].freed, true);
});

test("a small file of another hash is refused", async (t) => {
  const { loaded } = start(await hub(t), { sha256: { "config.json": "00" } });
  await assert.rejects(loaded, (error) => error.code === "file-hash" && error.details.actual === sha256(FILES["config.json"]));
});

test("a right hash in capitals is accepted", async (t) => {
  await start(await hub(t), { sha256: { "config.json": sha256(FILES["config.json"]).toUpperCase() } }).loaded;
});

test("an abort rejects with the signal's reason, also in the middle", async (t) => {
  const controller = new AbortController();
  const slow = (_request, response) => {
    response.writeHead(200, { "content-length": 300_000 });
    response.write(FILES["model.safetensors"].subarray(0, 1000), () => setTimeout(() => controller.abort(new Error("enough")), 20));
  };
  const server = await hub(t, { "model.safetensors": slow });
  const caches = fakeCaches();
  await assert.rejects(start(server, { signal: controller.signal, caches }).loaded, /enough/);
  assert.ok(!caches.entries.has(server.url + FOLDER + "model.safetensors"), "half a file is not kept");
});

test("the second load works with the server off", async (t) => {
  const server = await hub(t);
  const caches = fakeCaches();
  await start(server, { caches }).loaded;
  await server.close();
  const { loaded, sessions, events } = start(server, { caches });
  await loaded;
  assert.deepEqual(weightsOf(sessions[0]), Buffer.from(FILES["model.safetensors"]));
  assert.ok(events.filter((event) => event.status === "download").every((event) => event.cached));
});

test("a revision has cache entries of its own", async (t) => {
  const server = await serveFiles(Object.fromEntries(["main", "v2"].flatMap((revision) =>
    Object.entries(FILES).map(([name, bytes]) => [`/owner/name/resolve/${revision}/${name}`, bytes]))));
  t.after(() => server.close());
  const caches = fakeCaches();
  await start(server, { caches }).loaded;
  await start(server, { caches, source: modelSource("owner/name", { baseUrl: server.url, revision: "v2" }) }).loaded;
  assert.equal(caches.entries.size, 6);
});

test("cache: false keeps nothing", async (t) => {
  const caches = fakeCaches();
  await start(await hub(t), { caches, cache: false }).loaded;
  assert.equal(caches.entries.size, 0);
});

test("a full cache is told and loading goes on", async (t) => {
  const caches = fakeCaches({ quota: 100_000 });
  const { loaded, sessions, events } = start(await hub(t), { caches });
  await loaded;
  assert.equal(weightsOf(sessions[0]).length, 300_000);
  const skipped = events.filter((event) => event.status === "cache-skipped");
  assert.deepEqual(skipped.map(({ file, reason }) => [file, reason]), [["model.safetensors", "the quota is used up"]]);
  assert.equal(caches.entries.size, 2);
});

test("a page without a cache is told why", async (t) => {
  const { loaded, events } = start(await hub(t));
  await loaded;
  assert.match(events.find((event) => event.status === "cache-skipped").reason, /https/);
});

for (const code of ["not-safetensors", "file-hash"]) {
  test(`a cached file that turns out ${code} is deleted and fetched again`, async (t) => {
    const server = await hub(t);
    const caches = fakeCaches();
    await start(server, { caches }).loaded;
    const before = server.requests.length;
    const { loaded, sessions } = start(server, { caches, faults: { finishWeights: [wasmError(code)] } });
    await loaded;
    assert.deepEqual(server.requests.slice(before).map(({ path }) => path), [FOLDER + "model.safetensors"]);
    assert.deepEqual(sessions.map(({ freed }) => freed), [true, false]);
    assert.equal(caches.entries.size, 3);
  });
}

test("a cached file of another length is fetched again", async (t) => {
  const server = await hub(t);
  const caches = fakeCaches();
  await start(server, { caches }).loaded;
  const entry = caches.entries.get(server.url + FOLDER + "config.json");
  entry.bytes = entry.bytes.subarray(0, 3);
  const { loaded, sessions } = start(server, { caches });
  await loaded;
  assert.equal(Buffer.from(sessions.at(-1).calls[0][1]).toString(), '{"model_type":"bert"}');
});

test("a damaged file from the server is refused and not kept", async (t) => {
  const server = await hub(t);
  const caches = fakeCaches();
  const { loaded } = start(server, { caches, faults: { create: [wasmError("bad-config")] } });
  await assert.rejects(loaded, { code: "bad-config" });
  assert.ok(!caches.entries.has(server.url + FOLDER + "config.json"));
});

test("an unsuitable model is no reason to fetch it twice", async (t) => {
  const server = await hub(t);
  await assert.rejects(start(server, { faults: { finishWeights: [wasmError("tensor-shape")] } }).loaded, { code: "tensor-shape" });
  assert.equal(server.requests.length, 3);
});

test("out of memory while loading says what the session says of it, or what tells it before", async (t) => {
  const details = { bytes: 4096, weightBytes: 9000, dtype: "f32", smaller: { q8: 3000 } };
  const cases = [
    [wasmError("out-of-memory", details), /^model\.safetensors: a message for out-of-memory$/, { ...details, file: "model.safetensors" }],
    [new RangeError("no array buffer"), /loading model\.safetensors \(it has 300000 bytes\).*Model\.estimate/, { file: "model.safetensors" }],
  ];
  for (const [fault, message, details] of cases) {
    const { loaded, sessions } = start(await hub(t), { faults: { feedWeights: [fault] } });
    await assert.rejects(loaded, { code: "out-of-memory", message, details });
    assert.equal(sessions[0].freed, true);
  }
});

test("a lost device gets the weights again, from the cache", async (t) => {
  const server = await hub(t);
  const { loaded, loader } = start(server, { caches: fakeCaches() });
  const { session } = await loaded;
  await server.close();
  await loader.reload(session, { signal: new AbortController().signal, emit: () => {} });
  assert.equal(session.calls.filter(([name]) => name === "openDevice").length, 2);
  assert.deepEqual(weightsOf(session), Buffer.from(FILES["model.safetensors"]));
});

test("files of the caller are streamed and never cached", async () => {
  const caches = fakeCaches();
  const { loaded, sessions } = start({ url: "http://unused" }, { caches, source: modelSource(FILES, {}) });
  await loaded;
  assert.equal(weightsOf(sessions[0]).length, 300_000);
  assert.equal(caches.entries.size, 0);
});

const JINJA = Buffer.from("{{ messages[0].content }}");
const CONFIG = Buffer.from('{"eos_token":"</s>","added_tokens_decoder":{}}');
const GENERATION = { task: "text-generation" };
const asked = (server) => server.requests.map(({ path }) => path.slice(FOLDER.length)).filter((file) => !(file in FILES));

test("for text-generation the chat template is fetched, told of and kept; for other tasks it is not asked for", async (t) => {
  const server = await hub(t, { "chat_template.jinja": JINJA, "tokenizer_config.json": CONFIG });
  const caches = fakeCaches();
  await start(server, { caches }).loaded;
  assert.deepEqual(asked(server), []);
  const { loaded, events } = start(server, { caches, ...GENERATION });
  assert.deepEqual((await loaded).chat, { template: JINJA.toString(), tokens: { eos_token: "</s>" } });
  assert.deepEqual(asked(server).sort(), ["chat_template.jinja", "tokenizer_config.json"]);
  assert.deepEqual(statuses(events, "chat_template.jinja").filter((status) => status !== "progress"), ["initiate", "download", "done"]);
  const total = events.filter((event) => event.status === "progress_total").at(-1);
  assert.deepEqual([total.progress, total.files["chat_template.jinja"].loaded, total.loaded], [100, JINJA.length, total.total]);
  await server.close();
  assert.equal((await start(server, { caches, ...GENERATION }).loaded).chat.template, JINJA.toString());
});

test("that a model has no template is kept too, so that it loads with the server off and asks once", async (t) => {
  const server = await hub(t);
  const caches = fakeCaches();
  assert.equal((await start(server, { caches, ...GENERATION }).loaded).chat.code, "no-chat-template");
  const before = server.requests.length;
  await start(server, { caches, ...GENERATION }).loaded;
  assert.equal(server.requests.length, before);
  await server.close();
  assert.equal((await start(server, { caches, ...GENERATION }).loaded).chat.code, "no-chat-template");
});

test("a template that cannot be reached is no reason not to load", async (t) => {
  const server = await hub(t, { "chat_template.jinja": (_request, response) => response.writeHead(500).end() });
  const { chat } = await start(server, GENERATION).loaded;
  assert.deepEqual([chat.code, chat.details.status], ["file-unreachable", 500]);
});

test("files for chat are bounded before they are read, and whole", async (t) => {
  const endless = (_request, response) => response.writeHead(200, { "content-length": 1e9 }).write("x");
  const { chat } = await start(await hub(t, { "chat_template.jinja": endless }), GENERATION).loaded;
  assert.deepEqual([chat.code, chat.details], ["chat-template-failed", { file: "chat_template.jinja" }]);
  const half = await hub(t, { "chat_template.jinja": cutOff(JINJA) });
  await assert.rejects(start(half, GENERATION).loaded, { code: "file-truncated", details: { file: "chat_template.jinja", expected: 25, actual: 12 } });
});

test("among files of the caller are those for chat", async () => {
  const given = { ...FILES, "chat_template.jinja": JINJA, "tokenizer_config.json": CONFIG };
  const { loaded } = start({ url: "http://unused" }, { source: modelSource(given, {}), ...GENERATION });
  assert.deepEqual((await loaded).chat, { template: JINJA.toString(), tokens: { eos_token: "</s>" } });
  const { loaded: without } = start({ url: "http://unused" }, { source: modelSource(FILES, {}), ...GENERATION });
  assert.equal((await without).chat.code, "no-chat-template");
});
