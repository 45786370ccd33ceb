// The installed package in a page without a bundler, under a policy that allows only the page's own scripts and WebAssembly.

import assert from "node:assert/strict";
import { test } from "node:test";
import { leaveForPython, wholeJob } from "./job.mjs";
import { plainPage } from "./package.mjs";
import { open } from "./site.mjs";

for (const pooling of ["mean", "pooler"]) {
  for (const device of ["wasm", "webgpu"]) {
    test(`a plain page does the whole job: ${pooling}, ${device}`, async (t) => {
      const { page } = await open(t, plainPage(), { file: "plain.html" });
      const found = await wholeJob(page, { pooling, device });
      leaveForPython(`tiny-${pooling}-${device}`, found, pooling);
    });
  }
}

test("a plain page does the whole job without a worker", async (t) => {
  const { page } = await open(t, plainPage(), { file: "plain.html" });
  await wholeJob(page, { pooling: "mean", device: "wasm", worker: false });
});

test("a model tells its device also where nobody listens to the progress of loading", async (t) => {
  const { page } = await open(t, plainPage(), { file: "plain.html" });
  const device = await page.evaluate(async () => (await ia3.Model.fromPretrained("tiny/bert-mean", { baseUrl: "/hub", device: "wasm" })).device);
  assert.equal(device, "wasm");
});
