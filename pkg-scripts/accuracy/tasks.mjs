// The tasks that defaults are chosen on: few training examples drawn by seed, one fixed test set.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A small generator (mulberry32), so that the same seed draws the same examples everywhere. */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function shuffled(items, seed) {
  const next = random(seed);
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [result[i], result[j]] = [result[j], result[i]];
  }
  return result;
}

/** `count` examples of each label. */
function draw(examples, labels, count, seed) {
  return labels.flatMap((label) => shuffled(examples.filter((example) => example.label === label), seed).slice(0, count));
}

/** Subject and body of a mail, without mark-up. */
function mailText(raw) {
  const mail = raw.replaceAll("\r", "");
  const split = mail.indexOf("\n\n");
  const [head, body] = split < 0 ? [mail, ""] : [mail.slice(0, split), mail.slice(split + 2)];
  const subject = /^Subject:(.*(?:\n[ \t].*)*)/im.exec(head)?.[1] ?? "";
  return `${subject} ${body.replaceAll(/<[^>]*>/g, " ")}`.replaceAll(/\s+/g, " ").trim().slice(0, 2000);
}

function mails(folder, groups, label) {
  const read = (group) => (name) => mailText(JSON.parse(readFileSync(join(folder, group, name), "utf8")).text);
  const texts = groups.flatMap((group) => readdirSync(join(folder, group)).filter((name) => name.endsWith(".json")).map(read(group)));
  return [...new Set(texts)].filter((text) => text.length > 20).sort().map((text) => ({ text, label }));
}

/** SpamAssassin: 250 mails of each kind are the test set, training examples come from the rest. */
function spam(folder, count) {
  const labels = ["ham", "spam"];
  const all = [
    shuffled(mails(folder, ["easy-ham-1", "easy-ham-2", "hard-ham-1"], "ham"), 1),
    shuffled(mails(folder, ["spam-1", "spam-2"], "spam"), 1),
  ];
  const rest = all.flatMap((mails) => mails.slice(250));
  return { labels, test: all.flatMap((mails) => mails.slice(0, 250)), train: (seed) => draw(rest, labels, count, seed) };
}

/** The sample task of the demo page, or some of its labels. */
function sample(file, count, labels) {
  const task = JSON.parse(readFileSync(file, "utf8"));
  const wanted = labels ?? task.labels;
  const test = task.test.filter((example) => wanted.includes(example.label));
  return { labels: wanted, test, train: (seed) => draw(task.train, wanted, count, seed) };
}

/** Every task by name. */
export function tasks(data, sampleFile) {
  return {
    spam16: () => spam(data, 16),
    spam8: () => spam(data, 8),
    sample24: () => sample(sampleFile, 24),
    sample8: () => sample(sampleFile, 8),
    "bug-suggestion8": () => sample(sampleFile, 8, ["bug", "suggestion"]),
    "refund-shipping8": () => sample(sampleFile, 8, ["refund", "shipping"]),
  };
}
