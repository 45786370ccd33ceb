// What the benchmark makes of its measurements: medians, the rule for when enough was seen, ratios and the table.

import { build } from "esbuild";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { asksFor, peerJobs, TASKS } from "./bench/jobs.mjs";
import { fileOf, learned, PREFILL, prompt, TRAIN } from "./bench/peers/language.mjs";
import { peerOverOurs, trainOverForward } from "./bench/ratios.mjs";
import { ratiosText, rowsText } from "./bench/table.mjs";

const { groupOps } = await page("op-groups");
const { median, Stopwatch } = await page("stopwatch");

/** A module of the benchmark page. */
async function page(name) {
  const entryPoints = [fileURLToPath(new URL(`../www/src/bench/${name}.ts`, import.meta.url))];
  const { outputFiles } = await build({ entryPoints, bundle: true, write: false, format: "esm" });
  return import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);
}

test("the median is the middle value, or the mean of the two in the middle", () => {
  assert.deepEqual([median([3, 1, 2]), median([10, 9]), median([5]), median([])], [2, 9.5, 5, NaN]);
});

test("warm-ups are left out, and the runs asked for are enough", () => {
  const watch = new Stopwatch({ runs: 3, budgetMs: 60_000 });
  const taken = [100, 90, 80, 5, 7, 3];
  assert.deepEqual(taken.map((ms) => (watch.add(ms), watch.enough)), [false, false, false, false, false, true]);
  const { medianMs, minMs, runs } = watch.figures;
  assert.deepEqual([medianMs, minMs, runs], [5, 3, 3]);
});

test("a spent budget ends it after one warm-up and two runs", () => {
  const watch = new Stopwatch({ runs: 100, budgetMs: 0 });
  assert.deepEqual([100, 20, 30].map((ms) => (watch.add(ms), sleep(2), watch.enough)), [false, false, true]);
  assert.equal(watch.figures.medianMs, 25);
});

test("work done several times in a run is timed once", async () => {
  const watch = new Stopwatch({ runs: 1, budgetMs: 0 }, 4);
  while (!watch.enough) await watch.time(async () => sleep(40));
  assert.ok(watch.figures.minMs >= 9.9 && watch.figures.minMs < 40, `${watch.figures.minMs} ms`);
});

function sleep(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test("ops of all layers add up, with what is on in their names", () => {
  const op = (op, ms) => ({ device: "wasm", op, inputs: [[8, 4]], outputs: [[8, 2], []], ms });
  const groups = groupOps([
    op("Scale { start: 0, len: 4, offset: 8 }", 1),
    op("Linear { flipped: false, bias: true, addend: false }", 5),
    op("Scale { start: 0, len: 4, offset: 16 }", 2),
    op("ActivationGrad(Activation { kind: Gelu, scale: Some(Scale { start: 0, len: 4, offset: 0 }) })", 1),
  ]);
  assert.deepEqual(groups.map(({ op, count, ms }) => [op, count, ms]), [
    ["Linear { bias }", 1, 5],
    ["Scale", 2, 3],
    ["ActivationGrad(Activation { kind: Gelu, scale: Some(Scale) })", 1, 1],
  ]);
  assert.equal(groups[0].shapes, "8×4 → 8×2, 1");
});

const row = (name, library, device, medianMs) => ({
  name, library, device, medianMs, minMs: medianMs, runs: 2, dispatches: 129, submits: 0.5, bindGroups: 0, buffers: 0, heldBytes: 12_345_678, wasmBytes: 23_456_789,
});

const ROWS = [
  row("encoder-forward-8x64", "ia3-web", "wasm", 400),
  row("encoder-train-8x64", "ia3-web", "wasm", 700),
  row("encoder-train-8x64", "ia3-web", "webgpu", 7000),
  row("encoder-forward-8x64", "tfjs", "wasm", 500),
  row("encoder-train-8x64", "tfjs", "wasm", 5000),
];

test("a training step is compared with the forward pass of the same library and device", () => {
  assert.deepEqual(trainOverForward(ROWS), { wasm: { "ia3-web": 1.75, tfjs: 10 } });
});

test("a peer is compared with ia3-web on the same row and device", () => {
  assert.deepEqual(peerOverOurs(ROWS), {
    wasm: { "encoder-forward-8x64": { tfjs: 1.25 }, "encoder-train-8x64": { tfjs: 7.14 } },
  });
});

test("the table has the same work in neighbouring lines, and calls where there are any", () => {
  const [head, ...lines] = rowsText(ROWS).split("\n").map((line) => line.split(/ {2,}/));
  assert.equal(head[3], "median ms");
  assert.deepEqual(lines.map(([name, device, library]) => [name, device, library]), [
    ["encoder-forward-8x64", "wasm", "ia3-web"],
    ["encoder-forward-8x64", "wasm", "tfjs"],
    ["encoder-train-8x64", "wasm", "ia3-web"],
    ["encoder-train-8x64", "wasm", "tfjs"],
    ["encoder-train-8x64", "webgpu", "ia3-web"],
  ]);
  assert.deepEqual(lines.at(-1).slice(3), ["7000.0", "7000.0", "2", "129", "0.5", "0", "0", "12.3", "23.5"]);
  assert.deepEqual(lines[0].slice(6), ["-", "-", "-", "-", "12.3", "23.5"]);
});

test("every ratio has a line, and no ratios make no text", () => {
  const ratios = { trainOverForward: trainOverForward(ROWS), peerOverOurs: peerOverOurs(ROWS) };
  assert.match(ratiosText(ratios), /^train \/ forward +wasm +ia3-web +1\.75$/m);
  assert.match(ratiosText(ratios), /^encoder-train-8x64, peer \/ ours +wasm +tfjs +7\.14$/m);
  assert.equal(ratiosText({ trainOverForward: {}, peerOverOurs: {} }), "");
});

test("peers are asked only for what they can do", () => {
  const jobs = peerJobs({ devices: ["wasm", "webgpu"], only: ["encoder-train", "ops"] });
  assert.deepEqual(jobs.map(({ library, device }) => `${library} ${device}`), ["ia3-web-threads wasm", "tfjs wasm", "jax-js wasm", "tfjs webgpu", "jax-js webgpu"]);
});

test("wllama and our threads are measured on wasm alone, ours beside them on both devices", () => {
  const [first, ...others] = peerJobs({ devices: ["wasm", "webgpu"], only: ["generate-decode-q4_1"] });
  assert.deepEqual(first, { library: "ia3-web", device: "wasm", task: "generate-decode", format: "q4_1", name: "generate-decode-q4_1" });
  assert.deepEqual(others.map(({ library, device }) => `${library} ${device}`), ["ia3-web-threads wasm", "wllama wasm", "ia3-web webgpu"]);
});

test("a kind of row stands for all number formats, a format for the comparison is measured on wasm alone", () => {
  const jobs = peerJobs({ devices: ["wasm", "webgpu"], only: ["generate-load"] });
  const found = jobs.map(({ library, device, format }) => [library, device, format].join(" "));
  const onWasm = ["ia3-web", "ia3-web-threads", "wllama"].flatMap((library) => ["q4_1", "q8_0"].map((format) => `${library} wasm ${format}`));
  assert.deepEqual(found, [...onWasm, "ia3-web webgpu q4_1"]);
});

test("a training step of a language model is ours alone", () => {
  const jobs = peerJobs({ devices: ["wasm", "webgpu"], only: ["language-train"] });
  assert.deepEqual(jobs.map(({ library, device, name }) => [library, device, name].join(" ")), [
    "ia3-web wasm language-train-4x64-q4_1",
    "ia3-web-threads wasm language-train-4x64-q4_1",
    "ia3-web webgpu language-train-4x64-q4_1",
  ]);
  assert.match(jobs[0].name, new RegExp(`-${TRAIN.batchSize}x${TRAIN.maxLength}-`));
});

test("rows are asked for by kind or by name", () => {
  assert.ok(asksFor("encoder-train", "encoder-train") && asksFor("encoder-train-8x64", "encoder-train") && asksFor("encoder", "encoder-train"));
  assert.ok(!asksFor("encoder-forward", "encoder-train") && !asksFor("matmult", "matmul"));
  for (const task of TASKS) assert.ok(peerJobs({ devices: ["wasm"], only: [task] }).length > 0, task);
});

for (const [parameters, message] of [[["--only", "generate-lod"], /generate-lod names nothing.*generate-load/], [["--only", "language-train"], /needs --peers/]]) {
  test(`the benchmark refuses ${parameters.join(" ")}`, () => {
    const { status, stderr } = spawnSync(process.execPath, [fileURLToPath(new URL("bench/main.mjs", import.meta.url)), ...parameters]);
    assert.notEqual(status, 0);
    assert.match(String(stderr), message);
  });
}

test("every number format has its file", () => {
  for (const format of ["q4_1", "q8_0"]) assert.match(fileOf(format), new RegExp(`^/hub/[^/]+/[^/]+/resolve/main/.*\\.${format}\\.gguf$`, "i"));
});

test("what is learned fills its batch", () => {
  const texts = learned();
  assert.equal(new Set(texts.map(({ text }) => text)).size, TRAIN.batchSize);
  assert.ok(texts.every(({ text }) => text.split(" ").length === TRAIN.maxLength - 1));
});

test("every prompt is as many words as it has tokens, and no two in a row begin alike", () => {
  const first = (at) => prompt(at).split(" ");
  for (let at = 0; at < 12; at++) {
    assert.equal(first(at).length, PREFILL);
    assert.notEqual(first(at)[0], first(at + 1)[0]);
  }
});
