// Measures other libraries on the same work, and ours beside them on language models: one fresh browser a row, threads allowed.

import { build } from "esbuild";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { launch } from "../browser.mjs";
import { folders } from "../folders.mjs";
import { serve } from "../serve.mjs";

const SOURCE = fileURLToPath(new URL("peers", import.meta.url));
/** A training step of SmolLM2 takes minutes on a software adapter, and there are three. */
const TIMEOUT = 20 * 60_000;
/** Share by which first results may differ. */
const TOLERANCE = 0.01;

const HEADERS = {
  // Some of them compile code from strings and start workers from blobs.
  "Content-Security-Policy": "default-src 'self' blob: data:; script-src 'self' blob: 'unsafe-eval' 'wasm-unsafe-eval'",
};

/**
 * Measures jobs one after the other.
 * @param {string} packages the peers' node_modules
 * @yields {{row: object} | {job: object, error: Error}} for each job
 */
export async function* measurePeers(packages, jobs, limits) {
  const built = join(folders().out, "bench-peers");
  await build({
    entryPoints: [join(SOURCE, "page.mjs")],
    outdir: built,
    bundle: true,
    splitting: true,
    format: "esm",
    target: "es2022",
    minify: true,
    nodePaths: [packages],
    external: ["/npm/*", "/pkg/*", "fs", "path", "os", "perf_hooks", "worker_threads", "crypto", "util", "string_decoder"],
    define: { global: "globalThis" },
    logLevel: "error",
  });
  const server = await serve({ mounts: { "/": SOURCE, "/built/": built, "/npm/": packages, "/pkg/": folders().pkg, "/hub/": folders().hub }, headers: HEADERS });
  const answers = new Map();
  try {
    for (const job of jobs) {
      console.error(`measuring ${job.library} on ${job.device}: ${job.name}`);
      try {
        const { answer, ...figures } = await measureOne(server.origin, { ...job, limits });
        refuseOther(answers, job, answer);
        const { name, library, device } = job;
        yield { row: { name, library, device, activationBytes: null, wasmBytes: null, ...figures } };
      } catch (error) {
        yield { job, error };
      }
    }
  } finally {
    await server.close();
  }
}

async function measureOne(origin, job) {
  const browser = await launch();
  const late = setTimeout(() => void browser.close(), TIMEOUT);
  try {
    const page = await browser.newPage();
    await page.goto(origin);
    return await page.evaluate(async (job) => (await import("/built/page.js")).measure(job), job);
  } finally {
    clearTimeout(late);
    await browser.close();
  }
}

/** A library whose first result is another than that of the libraries before it does other work, so its time says nothing. */
function refuseOther(answers, { name }, answer) {
  if (typeof answer !== "number") return;
  const known = answers.get(name) ?? answer;
  answers.set(name, known);
  if (Math.abs(answer - known) <= TOLERANCE * Math.abs(known)) return;
  throw new Error(`its first result is ${answer}, where others have ${known}`);
}
