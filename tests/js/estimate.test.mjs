// Sizes before anything is loaded.

import assert from "node:assert/strict";
import { test } from "node:test";
import { serveFiles } from "./server.mjs";
import { source } from "./source.mjs";
import { FILES, FakeWorker, fakeRuntime } from "./worker.mjs";

const { Model } = await source("model");
const { memoryLimit } = await source("estimate");

const GIB = 1024 ** 3;

/** A safetensors file with a header of this length and some tensors after it. */
function weights(header, size = header + 400_000) {
  const file = new Uint8Array(size).fill(32);
  new DataView(file.buffer).setBigUint64(0, BigInt(header), true);
  return file;
}

async function measure(t, model, { ranges = true, seen, files = {}, ...options } = {}) {
  const server = await serveFiles(
    Object.fromEntries(Object.entries({ ...FILES, ...files, "model.safetensors": model }).map(([name, bytes]) => [`/m/${name}`, bytes])),
    { ranges },
  );
  t.after(() => server.close());
  const runtime = fakeRuntime();
  const worker = new FakeWorker({
    ...runtime,
    glue: async () => ({ ...(await runtime.glue()), estimate: (config, headers, given) => {
      seen?.push({ config, header: headers[0].length, ...given });
      return { weightBytes: 1, memoryBytes: 1000 * given.batchSize };
    } }),
  });
  const found = await Model.estimate(`${server.url}/m`, { worker: () => worker, ...options });
  assert.equal(worker.terminated, true);
  return { found, requests: server.requests };
}

const small = FILES["config.json"].length + FILES["tokenizer.json"].length;

test("an estimate fetches the header and not the weights", async (t) => {
  const seen = [];
  const { found, requests } = await measure(t, weights(1000), { seen, batchSize: 4, labels: ["a", "b"], dtype: "q4", activationDtype: "f16" });
  assert.equal(found.downloadBytes, small + 401_000);
  assert.equal(found.memoryBytes, 4000);
  assert.deepEqual(requests.filter(({ path }) => path.endsWith("tensors")), [{ path: "/m/model.safetensors", range: "bytes=0-65535" }]);
  assert.deepEqual(seen, [{
    config: '{"model_type":"bert"}', header: 65536, batchSize: 4, maxLength: 64, task: "text-classification", labels: ["a", "b"], pooling: "mean",
    activationCheckpointing: false, dtype: "q4", activationDtype: "f16", device: "auto",
  }]);
});

test("what says how a model chats is counted for text-generation, where there is something", async (t) => {
  const files = { "tokenizer_config.json": new Uint8Array(700) };
  const { found, requests } = await measure(t, weights(1000), { files, task: "text-generation" });
  assert.equal(found.downloadBytes, small + 401_000 + 700);
  assert.ok(requests.some(({ path }) => path === "/m/chat_template.jinja"));
  const other = await measure(t, weights(1000), { files });
  assert.equal(other.found.downloadBytes, small + 401_000);
});

test("an estimate is told how and where training will run", async (t) => {
  const seen = [];
  await measure(t, weights(1000), { seen, activationCheckpointing: true, device: "webgpu" });
  assert.deepEqual([seen[0].activationCheckpointing, seen[0].device], [true, "webgpu"]);
  for (const wrong of [{ activationCheckpointing: "yes" }, { device: "gpu" }, { dtype: "q5" }, { activationDtype: "q8" }]) {
    await assert.rejects(Model.estimate("owner/name", wrong), { code: "bad-option" });
  }
});

test("a long header takes a second request", async (t) => {
  const seen = [];
  const { requests } = await measure(t, weights(100_000), { seen });
  assert.deepEqual(requests.map(({ range }) => range).filter(Boolean), ["bytes=0-65535", "bytes=0-100007"]);
  assert.equal(seen[0].header, 100_008);
});

test("a server without ranges is cut off after the header", async (t) => {
  const seen = [];
  const { found } = await measure(t, weights(1000, 50_000_000), { seen, ranges: false });
  assert.equal(seen[0].header, 65536);
  assert.equal(found.downloadBytes, small + 50_000_000);
});

test("a header that is longer than its file is refused", async (t) => {
  await assert.rejects(measure(t, weights(2_000_000, 100_000)), { code: "not-safetensors" });
  await assert.rejects(measure(t, new Uint8Array(4)), { code: "not-safetensors" });
});

test("files at hand cost no download", async () => {
  const worker = () => new FakeWorker(fakeRuntime());
  const found = await Model.estimate({ ...FILES, "model.safetensors": weights(1000) }, { worker });
  assert.equal(found.downloadBytes, 0);
});

test("half of the machine's memory is counted on, and never more than WebAssembly can use", () => {
  assert.deepEqual(memoryLimit({ navigator: { deviceMemory: 4 } }), { limitBytes: 2 * GIB, limitReason: "device-memory" });
  assert.equal(memoryLimit({ navigator: { deviceMemory: 32 } }).limitBytes, 4 * GIB);
});

test("where the browser tells nothing, little is counted on", () => {
  assert.deepEqual(memoryLimit({ navigator: {} }), { limitBytes: GIB, limitReason: "default" });
  assert.equal(memoryLimit({ performance: { memory: { jsHeapSizeLimit: 5 } } }).limitReason, "heap-limit");
});
