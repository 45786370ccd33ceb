// The benchmark page: what it measures arrives, and training asks WebGPU for nothing new. No time is asserted.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openDemo } from "./demo.mjs";

const PARAMETERS = { model: "/tiny-bert-mean", batchSize: "8", maxLength: "32", runs: "2", budget: "5" };
const NAMES = ["matmul-512x384x1536", "encoder-forward-8x32", "encoder-train-8x32"];

function openBench(t, { context, expected, ...parameters }) {
  return openDemo(t, { file: "bench.html", parameters: { ...PARAMETERS, ...parameters }, context, expected });
}

async function report(bench) {
  await bench.get("run").click();
  await bench.until("run-status", /^Done in/);
  return JSON.parse(await bench.get("report").textContent());
}

for (const device of ["wasm", "webgpu"]) {
  test(`measures every row on ${device}`, async (t) => {
    const bench = await openBench(t, { device });
    const { rows, ops } = await report(bench);
    assert.deepEqual(rows.map(({ name, library }) => [name, library]), NAMES.map((name) => [name, "ia3-web"]));
    for (const row of rows) {
      assert.equal(row.device, device);
      assert.equal(row.runs, 2);
      assert.ok(row.medianMs >= row.minMs && row.minMs >= 0, `${row.name}: ${row.medianMs}, ${row.minMs}`);
      for (const name of ["dispatches", "submits"]) assert.equal(row[name] > 0, device === "webgpu", `${row.name}: ${row[name]} ${name}`);
      assert.equal(row.heldBytes > 0, device === "webgpu", `${row.name}: ${row.heldBytes} bytes held`);
      for (const name of ["activationBytes", "wasmBytes"]) assert.equal(row[name] > 0, row.name !== NAMES[0], `${row.name}: ${row[name]} ${name}`);
    }
    const train = rows.find(({ name }) => name === NAMES[2]);
    assert.deepEqual([train.bindGroups, train.buffers], [0, 0], "made anew in every training step");
    assert.ok(ops.length > 10 && ops.every((op) => op.device === device && op.ms >= 0 && op.outputs.length > 0));
    assert.ok(ops.some(({ op }) => op.startsWith("Linear")));

    assert.equal(await bench.get("rows").locator("tbody tr").count(), 3);
    assert.match(await bench.get("ops").innerText(), new RegExp(`Op on ${device}`));
    assert.match(await bench.page.locator("#ratios").innerText(), /times a forward pass/);
  });
}

test("measures only what is asked for", async (t) => {
  const bench = await openBench(t, { device: "wasm", only: "matmul-512x384x1536", runs: "1" });
  const { rows, ops } = await report(bench);
  assert.deepEqual([rows.map(({ name }) => name), ops], [[NAMES[0]], []]);
});

test("activations in 16 bits can be chosen where the GPU has them", async (t) => {
  const bench = await openBench(t, { device: "webgpu-f16" });
  const box = bench.page.getByLabel(/activations in 16 bits/);
  const can = await bench.page.evaluate(async () => (await navigator.gpu.requestAdapter({ powerPreference: "high-performance" })).features.has("shader-f16"));
  await bench.page.waitForFunction((can) => document.querySelector('input[value="webgpu-f16"]').disabled !== can, can);
  assert.equal(await box.isChecked(), can);
  assert.equal(await bench.page.getByLabel("GPU (WebGPU)").isChecked(), true);
});

test("stops when asked and keeps what it has", async (t) => {
  const bench = await openBench(t, { device: "wasm", runs: "100000", budget: "600", only: "encoder-train" });
  await bench.get("run").click();
  await bench.until("run-status", /^Measuring: encoder-train/);
  await bench.get("stop").click();
  await bench.until("run-status", /^Stopped/);
  assert.equal(await bench.page.locator('[data-testid="error"]:not([hidden])').count(), 0);
});

test("says kindly what is missing", async (t) => {
  const bench = await openBench(t, { model: "/nothing", device: "wasm", expected: /404/ });
  await bench.get("run").click();
  await bench.error(/\/nothing\/config\.json answered 404/);
  await bench.page.getByLabel("CPU (WebAssembly)").uncheck();
  await bench.get("run").click();
  await bench.error(/Nothing is chosen/);
});

for (const width of [360, 1280]) {
  test(`the benchmark fits ${width} px`, async (t) => {
    const bench = await openBench(t, { device: "wasm", context: { viewport: { width, height: 800 } } });
    await report(bench);
    assert.equal(await bench.page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
  });
}
