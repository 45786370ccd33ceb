// Weights in several files: the index, its shards one after the other, and what can be wrong with either.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cutOff, serveFiles } from "./server.mjs";
import { wasmError } from "./session.mjs";
import { source } from "./source.mjs";
import { FILES, FakeWorker, fakeCaches, fakeRuntime } from "./worker.mjs";

const { Loader } = await source("loader");
const { Model } = await source("model");
const { modelSource } = await source("source");

const FOLDER = "/owner/name/resolve/main/";
const INDEX = "model.safetensors.index.json";
const SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
const HALVES = [FILES["model.safetensors"].subarray(0, 200_000), FILES["model.safetensors"].subarray(200_000)];

const indexOf = (map, metadata = { total_size: 299_000 }) => Buffer.from(JSON.stringify({ metadata, weight_map: map }));
const { "model.safetensors": _, ...SMALL } = FILES;
const SHARDED = {
  ...SMALL,
  [INDEX]: indexOf({ "b.weight": SHARDS[1], "a.weight": SHARDS[0], "a.bias": SHARDS[0] }),
  [SHARDS[0]]: HALVES[0],
  [SHARDS[1]]: HALVES[1],
};

/** Serves the model in shards (with `files` instead of its own; `null` for one that is not there) until the test ends. */
async function hub(t, files = {}) {
  const all = Object.entries({ ...SHARDED, ...files }).filter(([, contents]) => contents !== null);
  const server = await serveFiles(Object.fromEntries(all.map(([name, contents]) => [FOLDER + name, contents])));
  t.after(() => server.close().catch(() => {}));
  return server;
}

function start(server, { caches, faults = {}, signal = new AbortController().signal, ...options } = {}) {
  const sessions = (faults.sessions = []);
  const events = [];
  const args = {
    source: modelSource("owner/name", { baseUrl: server.url }),
    task: "text-generation", labels: [], pooling: "mean", device: "auto", cache: true, sha256: {}, seed: 0, warmUp: null, ...options,
  };
  const loader = new Loader(args, fakeRuntime(faults, { caches }));
  return { events, sessions, loader, loaded: loader.load({ signal, emit: (event) => events.push(event) }) };
}

const weightsOf = (session) => Buffer.concat(session.fed);
const begun = (session) => session.calls.filter(([name]) => name === "beginFile").map(([, ...args]) => args);

test("shards reach the session in order, with their lengths and hashes", async (t) => {
  const { loaded, sessions } = start(await hub(t), { sha256: { [SHARDS[1]]: "ab" } });
  await loaded;
  assert.deepEqual(begun(sessions[0]), [[SHARDS[0], 200_000, undefined], [SHARDS[1], 100_000, "ab"]]);
  assert.deepEqual(weightsOf(sessions[0]), Buffer.from(FILES["model.safetensors"]));
});

test("progress counts all shards from the first on", async (t) => {
  const { loaded, events } = start(await hub(t));
  await loaded;
  const totals = events.filter((event) => event.status === "progress_total");
  const small = Object.values(SMALL).reduce((sum, { length }) => sum + length, SHARDED[INDEX].length);
  const first = totals.find((event) => event.files[SHARDS[0]]?.loaded > 0);
  assert.equal(first.total, small + 299_000);
  assert.deepEqual([totals.at(-1).progress, totals.at(-1).loaded], [100, small + 300_000]);
});

test("a shard that is not there is named with its URL", async (t) => {
  const { loaded, sessions } = start(await hub(t, { [SHARDS[1]]: null }));
  await assert.rejects(loaded, (error) => error.code === "file-unreachable" && error.details.url.endsWith(SHARDS[1]));
  assert.equal(sessions[0].freed, true);
});

test("without index and file it is the file that is missing", async (t) => {
  const { loaded } = start(await hub(t, { [INDEX]: null }));
  await assert.rejects(loaded, (error) => error.code === "file-unreachable" && error.details.url.endsWith("/model.safetensors"));
});

test("a shard whose connection breaks is a truncated file", async (t) => {
  const { loaded } = start(await hub(t, { [SHARDS[1]]: cutOff(HALVES[1]) }));
  await assert.rejects(loaded, { code: "file-truncated", details: { file: SHARDS[1], expected: 100_000, actual: 50_000 } });
});

const wrong = {
  "no JSON": Buffer.from("{"),
  "no map": Buffer.from("[]"),
  "an empty map": indexOf({}),
  "a name that leaves the folder": indexOf({ a: "../other.safetensors" }),
  "a name in a folder": indexOf({ a: "sub/other.safetensors" }),
  "a name that is a number": indexOf({ a: 3 }),
  "another kind of file": indexOf({ a: "pytorch_model.bin" }),
  "too many shards": indexOf(Object.fromEntries(Array.from({ length: 1001 }, (_, at) => [at, `m-${at}.safetensors`]))),
  "an endless index": Buffer.alloc(16 * 1024 * 1024 + 1, 32),
};
for (const [name, index] of Object.entries(wrong)) {
  test(`an index with ${name} is refused and not kept`, async (t) => {
    const server = await hub(t, { [INDEX]: index });
    const caches = fakeCaches();
    await assert.rejects(start(server, { caches }).loaded, { code: "not-safetensors", details: { file: INDEX } });
    assert.ok(!caches.entries.has(server.url + FOLDER + INDEX));
  });
}

test("the second load works with the server off, and so does a lost device", async (t) => {
  const server = await hub(t);
  const caches = fakeCaches();
  await start(server, { caches }).loaded;
  await server.close();
  const { loaded, loader } = start(server, { caches });
  const { session } = await loaded;
  assert.deepEqual(weightsOf(session), Buffer.from(FILES["model.safetensors"]));
  await loader.reload(session, { signal: new AbortController().signal, emit: () => {} });
  assert.deepEqual(weightsOf(session), Buffer.from(FILES["model.safetensors"]));
  assert.equal(begun(session).length, 4);
});

test("a damaged shard in the cache is fetched again, and only that", async (t) => {
  const server = await hub(t);
  const caches = fakeCaches();
  await start(server, { caches }).loaded;
  const before = server.requests.length;
  await start(server, { caches, faults: { finishWeights: [wasmError("file-hash", { file: SHARDS[0] })] } }).loaded;
  assert.deepEqual(server.requests.slice(before).map(({ path }) => path), [FOLDER + SHARDS[0]]);
});

test("an abort in the second shard rejects with the signal's reason", async (t) => {
  const controller = new AbortController();
  const slow = (_request, response) => {
    response.writeHead(200, { "content-length": 100_000 });
    response.write(HALVES[1].subarray(0, 1000), () => setTimeout(() => controller.abort(new Error("enough")), 20));
  };
  const caches = fakeCaches();
  const server = await hub(t, { [SHARDS[1]]: slow });
  await assert.rejects(start(server, { signal: controller.signal, caches }).loaded, /enough/);
  assert.ok(!caches.entries.has(server.url + FOLDER + SHARDS[1]));
});

test("picked files may be shards, and a missing one is named", async () => {
  const { loaded, sessions } = start({ url: "http://unused" }, { source: modelSource(SHARDED, {}) });
  await loaded;
  assert.deepEqual(weightsOf(sessions[0]), Buffer.from(FILES["model.safetensors"]));
  const { [SHARDS[1]]: left, ...others } = SHARDED;
  const { loaded: failing } = start({ url: "http://unused" }, { source: modelSource(others, {}) });
  await assert.rejects(failing, { code: "file-unreachable", details: { missing: [SHARDS[1]] } });
});

test("an estimate reads the headers of all shards", async (t) => {
  const shard = (size) => {
    const file = new Uint8Array(size).fill(32);
    new DataView(file.buffer).setBigUint64(0, 1000n, true);
    return file;
  };
  const server = await hub(t, { [SHARDS[0]]: shard(400_000), [SHARDS[1]]: shard(300_000) });
  const runtime = fakeRuntime();
  const seen = [];
  const estimate = (_config, headers) => (seen.push(headers.length), { weightBytes: 1, memoryBytes: 1 });
  const worker = () => new FakeWorker({ ...runtime, glue: async () => ({ ...(await runtime.glue()), estimate }) });
  const { downloadBytes } = await Model.estimate("owner/name", { worker, baseUrl: server.url });
  const small = Object.values(SMALL).reduce((sum, { length }) => sum + length, SHARDED[INDEX].length);
  assert.deepEqual([downloadBytes, seen], [small + 700_000, [2]]);
});
