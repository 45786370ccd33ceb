// The installed package in an app that Vite built for production.

import { test } from "node:test";
import { wholeJob } from "./job.mjs";
import { viteApp } from "./package.mjs";
import { open } from "./site.mjs";

const app = viteApp();

for (const [device, worker] of [["wasm", true], ["webgpu", true], ["wasm", false]]) {
  test(`a Vite app does the whole job: ${device}, ${worker ? "in a worker" : "without a worker"}`, async (t) => {
    const { page } = await open(t, app);
    await wholeJob(page, { pooling: "mean", device, worker });
  });
}
