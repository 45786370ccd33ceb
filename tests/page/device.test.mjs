// The device on the page: forced, chosen, absent.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openDemo, TINY } from "./demo.mjs";

test("trains and answers on WebGPU when it is asked for", async (t) => {
  const demo = await openDemo(t, { parameters: { ...TINY, device: "webgpu" } });
  await demo.loadSample();
  await demo.train("on-the-gpu");
  assert.equal(await demo.text("device"), "webgpu");
  await demo.classify("the good cat");
  assert.equal(Object.keys(await demo.scores("answer-adapter")).length, 3);
});

test("takes the CPU where WebGPU is only a software adapter, and says so", async (t) => {
  const demo = await openDemo(t, { parameters: { ...TINY, device: "auto" } });
  await demo.get("load-model").click();
  await demo.until("model-status", /^Ready/);
  assert.equal(await demo.text("device"), "wasm");
  assert.match(await demo.text("device-reason"), /WebGPU.*software/s);
  const cores = await demo.page.evaluate(() => navigator.hardwareConcurrency);
  const expected = cores > 1 ? `Runs on the CPU, ${Math.min(4, cores)} threads` : "Runs on the CPU";
  assert.equal(await demo.page.locator("#device-kind").innerText(), expected);
});

test("says that WebGPU is absent when it is forced, and works on the CPU after it", async (t) => {
  const demo = await openDemo(t, { parameters: { ...TINY, device: "webgpu" }, arrange: withoutWebGpu });
  await demo.get("load-model").click();
  await demo.error(/webgpu-unavailable/);
  await demo.page.getByText("Choose device and model").click();
  await demo.page.locator("#device-choice").selectOption("wasm");
  await demo.get("load-model").click();
  await demo.until("model-status", /^Ready/);
});

/** The engine's worker script with `navigator.gpu` taken away first, as in a browser that has no WebGPU. */
async function withoutWebGpu(context) {
  await context.route("**/pkg/worker.js", async (route) => {
    const response = await route.fetch();
    const body = `Object.defineProperty(Object.getPrototypeOf(navigator), "gpu", { get: () => undefined });\n${await response.text()}`;
    await route.fulfill({ response, body });
  });
}
