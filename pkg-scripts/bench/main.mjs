// Measures ia3-web, and its peers where their packages are given, prints what it found and writes target/bench.json.
// Called by bench.sh.
//   node main.mjs [--packages FOLDER] [--only NAME,..] [--device webgpu|wasm] [--runs N]

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { folders } from "../folders.mjs";
import { asksFor, peerJobs, TASKS } from "./jobs.mjs";
import { measureOurs } from "./ours.mjs";
import { measurePeers } from "./peers.mjs";
import { peerOverOurs, trainOverForward } from "./ratios.mjs";
import { ratiosText, rowsText } from "./table.mjs";

/** What the benchmark page measures. */
const PAGE = ["matmul", "encoder-forward", "encoder-train", "ops"];
const EVERYTHING = [...new Set([...PAGE, ...TASKS])].join(",");
/** Seconds for a row: on a software adapter a peer's training step takes a minute. */
const BUDGET = 10;

const { values: options } = parseArgs({
  options: {
    packages: { type: "string" },
    only: { type: "string", default: EVERYTHING },
    device: { type: "string", default: "wasm,webgpu" },
    runs: { type: "string", default: "10" },
  },
});
const devices = options.device.split(",");
const only = options.only.split(",");
const kinds = PAGE.filter((kind) => only.some((wanted) => asksFor(wanted, kind)));
const jobs = options.packages ? peerJobs({ devices, only }) : [];
for (const wanted of only) {
  if (PAGE.some((kind) => asksFor(wanted, kind)) || peerJobs({ devices, only: [wanted] }).length > 0) continue;
  throw new Error(`--only ${wanted} names nothing on ${options.device}: choose from ${EVERYTHING}`);
}
if (kinds.length + jobs.length === 0) throw new Error(`--only ${options.only} needs --peers`);

/** Rows of the peers; what failed is told at once. Returns whether all went well. */
async function addPeers(rows) {
  let whole = true;
  const limits = { runs: Number(options.runs), budgetMs: BUDGET * 1000 };
  for await (const { row, job, error } of measurePeers(options.packages, jobs, limits)) {
    if (row) rows.push(row);
    else console.error(`${job.library} on ${job.device}: ${job.name} failed: ${error.message}`);
    whole &&= Boolean(row);
  }
  return whole;
}

/** What the page can measure of what was asked for. */
async function ours() {
  if (kinds.length === 0) return { rows: [], ops: [] };
  console.error("measuring ia3-web");
  return measureOurs({ device: options.device, only: kinds.join(","), runs: options.runs, budget: String(BUDGET) });
}

const { rows, ops } = await ours();
if (options.packages && !(await addPeers(rows))) process.exitCode = 1;

const ratios = { trainOverForward: trainOverForward(rows), peerOverOurs: peerOverOurs(rows) };
writeFileSync(join(folders().out, "bench.json"), `${JSON.stringify({ rows, ops, ratios }, null, 2)}\n`);
console.log(rowsText(rows));
console.log(`\n${ratiosText(ratios)}`);
