// Trains with each setting on each task and seed, and prints mean accuracies and seconds. Called by accuracy.sh.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { folders } from "../folders.mjs";
import { mean, session, train } from "./session.mjs";
import { tasks } from "./tasks.mjs";

const MODEL = "sentence-transformers/all-MiniLM-L6-v2/resolve/main";
const MAX_LENGTH = 64;

const SETTINGS = {
  "head only": { objective: "cross-entropy", learningRate: 0 },
  "cross-entropy": { objective: "cross-entropy" },
  "contrastive, cosine": { objective: "contrastive", contrastiveLoss: "cosine" },
  "contrastive, supervised": { objective: "contrastive", contrastiveLoss: "supervised" },
  defaults: {},
};

const place = folders();
const { values: options } = parseArgs({
  options: { data: { type: "string" }, seeds: { type: "string", default: "5" }, tasks: { type: "string" } },
});

async function measure(task, seeds) {
  const model = await session(join(place.hub, MODEL), { task: "text-classification", labels: task.labels });
  const accuracy = async (adapter) => (await model.evaluate(task.test, { active: adapter }, { maxLength: MAX_LENGTH })).accuracy;
  const rows = { prototype: [] };
  for (let seed = 0; seed < seeds; seed++) {
    const examples = task.train(seed);
    for (const [name, settings] of Object.entries(SETTINGS)) {
      const seconds = await train(model, "a", examples, { ...settings, maxLength: MAX_LENGTH, seed });
      if (rows.prototype.length === seed) rows.prototype.push({ accuracy: await accuracy([]), seconds: 0 });
      (rows[name] ??= []).push({ accuracy: await accuracy(["a"]), seconds });
      model.deleteAdapter("a");
    }
  }
  model.dispose();
  return rows;
}

const all = tasks(options.data, join(place.www, "data/sample.json"));
const names = options.tasks?.split(",") ?? Object.keys(all);
const report = {};
for (const name of names) {
  report[name] = await measure(all[name](), Number(options.seeds));
  console.log(`\n${name}, ${options.seeds} seeds`);
  for (const [row, runs] of Object.entries(report[name])) {
    const accuracies = runs.map((run) => run.accuracy);
    const worst = Math.min(...runs.map((run, at) => run.accuracy - report[name].prototype[at].accuracy));
    const cells = [row.padEnd(26), mean(accuracies).toFixed(3), `worst ${worst.toFixed(3)}`, `${mean(runs.map((run) => run.seconds)).toFixed(0)} s`];
    console.log(cells.join("  "));
  }
}
mkdirSync(place.out, { recursive: true });
writeFileSync(join(place.out, "accuracy.json"), JSON.stringify(report, null, 2));
