// The installed package in an app that Vite built for production.

import assert from "node:assert/strict";
import { test } from "node:test";
import { wholeJob } from "./job.mjs";
import { viteApp } from "./package.mjs";
import { open } from "./site.mjs";

const app = viteApp();

test("a Vite app has threads where it is isolated", async (t) => {
  const { page } = await open(t, app, { isolated: true });
  await wholeJob(page, { pooling: "mean", device: "wasm", threads: 2 });
  const options = { baseUrl: "/hub", device: "wasm", threads: 2 };
  const threads = await page.evaluate(async (options) => (await ia3.Model.fromPretrained("tiny/bert-mean", options)).deviceInfo.threads, options);
  assert.equal(threads, 2);
});

for (const [device, worker] of [["wasm", true], ["webgpu", true], ["wasm", false]]) {
  test(`a Vite app does the whole job: ${device}, ${worker ? "in a worker" : "without a worker"}`, async (t) => {
    const { page } = await open(t, app);
    await wholeJob(page, { pooling: "mean", device, worker });
  });
}
