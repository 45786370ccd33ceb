// Everything that can go wrong while a model is loaded: each fault is a typed error that reaches the caller of the real build.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { launch } from "../../pkg-scripts/browser.mjs";
import { isError, limited, loadError, openBroken, sharded, WEIGHTS, weightsWith } from "./faults.mjs";
import { fixture } from "./package.mjs";
import { MINILM } from "./site.mjs";

const FAILED = /Failed to load resource/;
const LENGTH = { "content-length": String(WEIGHTS.length) };

test("a file that is not there", async (t) => {
  const { page } = await openBroken(t, {}, { expected: FAILED });
  const error = await loadError(page, {}, "nobody/nothing");
  isError(error, "file-unreachable", /nobody\/nothing.* answered 404: check the id/);
  assert.equal(error.details.status, 404);
});

test("a server that is off", async (t) => {
  const { page, server } = await openBroken(t, {}, { expected: FAILED });
  assert.equal((await loadError(page, { worker: false, cache: false })).code, "none");
  await server.close();
  isError(await loadError(page, { worker: false, cache: false }), "file-unreachable", /offline, the server is down/);
});

const broken = [
  ["a truncated file", { "model.safetensors": { headers: LENGTH, body: WEIGHTS.subarray(0, 30_000) } }, "file-truncated", new RegExp(`30000 of ${WEIGHTS.length} bytes.*load again`)],
  ["a file longer than announced", { "model.safetensors": { headers: LENGTH, body: Buffer.concat([WEIGHTS, Buffer.alloc(4)]) } }, "file-length", /model\.safetensors/],
  ["a file that is no safetensors", { "model.safetensors": { body: "this is not a model, not even a little" } }, "not-safetensors", /./],
  [
    "a model that lacks a tensor",
    { "model.safetensors": { body: weightsWith("layer.0.attention.self.query.weight", "layer.0.attention.self.other.weight") } },
    "tensor-missing",
    /layer\.0\.attention\.self\.query\.weight/,
  ],
  [
    "a tensor of another shape",
    { "model.safetensors": { body: weightsWith('"shape":[24,40]', '"shape":[40,24]') } },
    "tensor-shape",
    /output\.dense\.weight.*\[?40, ?24.*24, ?40/,
  ],
  ["a model of another type", { "config.json": { body: configWith("model_type", "albert") } }, "unsupported-model", /albert.*mpnet/],
  ["a configuration that is no JSON", { "config.json": { body: "{" } }, "bad-config", /config/],
  ["a tokenizer that is none", { "tokenizer.json": { body: "{}" } }, "bad-tokenizer", /tokenizer/],
];

for (const [name, files, code, message] of broken) {
  test(name, async (t) => {
    const { page } = await openBroken(t, files);
    isError(await loadError(page), code, message);
  });
}

test("a file of another hash", async (t) => {
  const { page } = await openBroken(t);
  const expected = "0".repeat(64);
  for (const file of ["config.json", "model.safetensors"]) {
    const error = await loadError(page, { sha256: { [file]: expected } });
    isError(error, "file-hash", new RegExp(file));
    assert.equal(error.details.expected, expected);
  }
});

test("loading that the caller gives up", async (t) => {
  const { page } = await openBroken(t);
  const name = await page.evaluate(async () => {
    const controller = new AbortController();
    const options = { baseUrl: "/hub", labels: job.LABELS, device: "wasm", signal: controller.signal, onProgress: () => controller.abort() };
    return (await job.caught(ia3, ia3.Model.fromPretrained("tiny/bert-mean", options))).name;
  });
  assert.equal(name, "AbortError");
});

test("a browser without WebGPU: an error where it is forced, the processor where it is not", async (t) => {
  const { args } = JSON.parse(readFileSync(new URL("../../pkg-scripts/webdriver.json", import.meta.url)))["goog:chromeOptions"];
  const without = await launch({ args: [...args.filter((flag) => !/headless|webgpu/.test(flag)), "--disable-features=WebGPU"] });
  t.after(() => without.close());
  const { page } = await openBroken(t, {}, { on: without });
  isError(await loadError(page, { device: "webgpu" }), "webgpu-unavailable", /./);
  const info = await page.evaluate(async () => {
    const model = await ia3.Model.fromPretrained("tiny/bert-mean", { baseUrl: "/hub", labels: job.LABELS });
    return model.deviceInfo;
  });
  assert.equal(info.device, "wasm");
  assert.match(info.reason, /WebGPU is not available/);
});

test("a GPU without memory for a model says what the model needs, and with which dtype less", async (t) => {
  const { page } = await openBroken(t);
  const error = await page.evaluate(async () => {
    const { popErrorScope } = GPUDevice.prototype;
    GPUDevice.prototype.popErrorScope = async function () {
      await popErrorScope.call(this);
      return new GPUOutOfMemoryError("pretended");
    };
    return job.caught(ia3, ia3.Model.fromPretrained("tiny/bert-mean", { baseUrl: "/hub", device: "webgpu", worker: false, warmUp: false }));
  });
  // Its rows are not whole blocks of q8 and q4.
  isError(error, "out-of-memory", /^model\.safetensors: out of memory: .* for tensor '.*' .* needs .* as f32, and would need .* as f16: load it with \{ dtype: "f16" \}$/);
  const { weightBytes, dtype, smaller } = error.details;
  assert.deepEqual([dtype, Object.keys(smaller)], ["f32", ["f16"]]);
  assert.ok(smaller.f16 < 0.7 * weightBytes && weightBytes < WEIGHTS.length, JSON.stringify(error.details));
});

test("a tab without memory for a model says what the model needs, and the dtype that it advises fits", async (t) => {
  // 90.9 MB of weights as f32.
  const arrange = (context) =>
    context.route("**/ia3_web_bg.wasm", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: limited(await response.body(), 1300) });
    });
  const { page } = await openBroken(t, {}, { arrange });
  const options = { labels: undefined, cache: false };
  const error = await loadError(page, options, MINILM);
  isError(error, "out-of-memory", /^model\.safetensors: out of memory: .* needs 91 MB as f32, and would need .* as f16, .* as q8, .* as q4: load it with \{ dtype: "f16" \}$/);
  const { bytes, weightBytes, smaller } = error.details;
  assert.ok(bytes < weightBytes && smaller.q4 < smaller.q8 && smaller.q8 < smaller.f16 && smaller.f16 < 0.51 * weightBytes, JSON.stringify(error.details));
  assert.equal((await loadError(page, { ...options, dtype: "f16" }, MINILM)).code, "none");
});

test("a cache that is full: the model loads without it, and says so", async (t) => {
  const { page } = await openBroken(t);
  const { skipped, label } = await page.evaluate(async () => {
    Cache.prototype.put = () => Promise.reject(new DOMException("the quota is used up", "QuotaExceededError"));
    const skipped = [];
    const model = await ia3.Model.fromPretrained("tiny/bert-mean", {
      baseUrl: "/hub",
      device: "wasm",
      worker: false,
      onProgress: (event) => event.status === "cache-skipped" && skipped.push([event.file, event.reason]),
    });
    return { skipped, label: (await model.embed("a cat")).length };
  });
  assert.equal(label, 1);
  assert.deepEqual(skipped.map(([file]) => file).sort(), ["config.json", "model.safetensors", "tokenizer.json"]);
  for (const [, reason] of skipped) assert.match(reason, /quota/);
});

test("the second load needs no server, and a damaged copy in the cache is fetched again", async (t) => {
  const { page, server } = await openBroken(t);
  const load = () =>
    page.evaluate(async () => {
      const downloads = [];
      const onProgress = (event) => event.status === "download" && downloads.push(event.cached);
      const model = await ia3.Model.fromPretrained("tiny/bert-mean", { baseUrl: "/hub", device: "wasm", worker: false, onProgress });
      return { downloads, vector: [...(await model.embed("a cat"))[0]] };
    });
  const first = await load();
  assert.deepEqual(first.downloads, [false, false, false]);
  await page.evaluate(async () => {
    const cache = await caches.open((await caches.keys())[0]);
    const [weights] = (await cache.keys()).filter(({ url }) => url.endsWith("model.safetensors"));
    await cache.put(weights, new Response("damaged"));
  });
  assert.deepEqual((await load()).vector, first.vector);
  await server.close();
  const offline = await load();
  assert.deepEqual(offline.downloads, [true, true, true]);
  assert.deepEqual(offline.vector, first.vector);
});

test("weights in shards answer as the one file does, and a shard that is not there is named", async (t) => {
  const embedded = async (files) => {
    const { page } = await openBroken(t, files, { expected: FAILED });
    return page.evaluate(async () => {
      const model = await ia3.Model.fromPretrained("tiny/bert-mean", { baseUrl: "/hub", device: "wasm", worker: false });
      return [...(await model.embed("a cat"))[0]];
    });
  };
  assert.deepEqual(await embedded(sharded()), await embedded({}));
  const shard = "model-00002-of-00002.safetensors";
  const { page } = await openBroken(t, { ...sharded(), [shard]: { status: 404, body: "not found" } }, { expected: FAILED });
  isError(await loadError(page), "file-unreachable", new RegExp(shard));
});

function configWith(field, value) {
  return JSON.stringify({ ...JSON.parse(fixture("tiny-bert-mean/config.json")), [field]: value });
}
