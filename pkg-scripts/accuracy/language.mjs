// What adapters do to a small language model: mails told apart by rank classification, with MiniLM beside it, and a sentence written
// as JSON. Called by accuracy.sh --language.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { folders } from "../folders.mjs";
import { adapterBytes, mean, session, train } from "./session.mjs";
import { tasks } from "./tasks.mjs";

const MAX_LENGTH = 160;
/** Of a mail as many characters as leave room for the question. */
const MAIL_CHARACTERS = 300;
/** A fifth of the 500 test mails, half of each kind: an answer of this model takes a second. */
const TEST_MAILS = (_, at) => at % 5 === 0;

const place = folders();
const { values: options } = parseArgs({
  options: {
    data: { type: "string" },
    model: { type: "string" },
    seeds: { type: "string", default: "3" },
    tasks: { type: "string", default: "appointments,mails" },
  },
});
const seeds = Number(options.seeds);

/** The template of SmolLM2's tokenizer around a message of the user. */
const asked = (message) =>
  `<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n<|im_start|>user\n${message}<|im_end|>\n<|im_start|>assistant\n`;

const TEMPLATES = [
  { prompt: asked("{{text}}\n\nIs this mail spam? Answer yes or no."), choices: { spam: "Yes", ham: "No" } },
  { prompt: asked("Is the following mail spam or ham?\n\n{{text}}"), choices: { spam: "Spam", ham: "Ham" } },
];

const cut = (mails) => mails.map(({ text, label }) => ({ text: text.slice(0, MAIL_CHARACTERS), label }));

async function appointments(model) {
  const { instruction, train: given, test } = JSON.parse(readFileSync(join(place.www, "data/appointments.json"), "utf8"));
  const completed = ({ prompt, answer }) => ({ prompt: asked(`${instruction}\n${prompt}`), completion: answer });
  const exact = async (active) => (await model.evaluate(test.map(completed), { active }, { maxLength: MAX_LENGTH })).accuracy;
  const report = { trainExamples: given.length, testExamples: test.length, before: await exact([]), runs: [] };
  for (let seed = 0; seed < seeds; seed++) {
    const seconds = await train(model, "json", given.map(completed), { steps: 30, batchSize: 8, learningRate: 1e-2, maxLength: MAX_LENGTH, seed });
    report.runs.push({ after: await exact(["json"]), seconds, bytes: adapterBytes(model, "json") });
    console.log("appointments", report.before, report.runs.at(-1));
    model.deleteAdapter("json");
  }
  return report;
}

async function rankedMails(model, task) {
  const test = cut(task.test.filter(TEST_MAILS)).map((mail) => ({ ...mail, templates: TEMPLATES }));
  const right = async (active) => (await model.evaluate(test, { active }, { maxLength: MAX_LENGTH })).accuracy;
  const report = { "zero-shot": [{ accuracy: await right([]), seconds: 0, bytes: 0 }] };
  console.log("zero-shot", report["zero-shot"]);
  const run = async (row, examples, settings, seed) => {
    const seconds = await train(model, "mails", examples, { ...settings, maxLength: MAX_LENGTH, seed });
    (report[row] ??= []).push({ accuracy: await right(["mails"]), seconds, bytes: adapterBytes(model, "mails") });
    console.log(row, report[row].at(-1));
    model.deleteAdapter("mails");
  };
  for (let seed = 0; seed < seeds; seed++) {
    const mails = cut(task.train(seed));
    const answers = mails.flatMap(({ text, label }) =>
      TEMPLATES.map(({ prompt, choices }) => ({ prompt: prompt.replace("{{text}}", () => text), completion: choices[label] })),
    );
    const shape = { steps: 40, batchSize: 4, learningRate: 1e-2 };
    await run("language-model loss", answers, shape, seed);
    await run("T-Few", mails.map((mail) => ({ ...mail, templates: TEMPLATES })), { preset: "tFew", ...shape }, seed);
  }
  return report;
}

async function classifiedMails(task) {
  const folder = join(place.hub, "sentence-transformers/all-MiniLM-L6-v2/resolve/main");
  const model = await session(folder, { task: "text-classification", labels: task.labels });
  const test = task.test.filter(TEST_MAILS);
  const runs = [];
  for (let seed = 0; seed < seeds; seed++) {
    const seconds = await train(model, "mails", task.train(seed), { maxLength: 64, seed });
    const { accuracy } = await model.evaluate(test, { active: ["mails"] }, { maxLength: 64 });
    runs.push({ accuracy, seconds, bytes: adapterBytes(model, "mails") });
    model.deleteAdapter("mails");
  }
  model.dispose();
  return runs;
}

async function mails(model) {
  const task = tasks(options.data, join(place.www, "data/sample.json")).spam16();
  return { "MiniLM, defaults": await classifiedMails(task), ...(await rankedMails(model, task)) };
}

const TASKS = { appointments, mails };
const model = await session(options.model, { task: "text-generation" });
const report = {};
for (const name of options.tasks.split(",")) report[name] = await TASKS[name](model);
mkdirSync(place.out, { recursive: true });
writeFileSync(join(place.out, "language.json"), JSON.stringify(report, null, 2));
for (const [row, runs] of Object.entries(report.mails ?? {})) {
  const [accuracy, seconds, bytes] = ["accuracy", "seconds", "bytes"].map((key) => mean(runs.map((run) => run[key])));
  console.log([row.padEnd(26), accuracy.toFixed(3), `${seconds.toFixed(0)} s`, `${bytes.toFixed(0)} bytes`].join("  "));
}
