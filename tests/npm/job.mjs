// The whole job in an app's page, its checks, and its adapters left where Python can check them.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { folders } from "../../pkg-scripts/folders.mjs";
import { EXAMPLES, LABELS, TEXTS } from "./app/job.js";
import { close, logits, otherAnswers, sameAnswers, scores, tensors } from "./compare.mjs";
import { place, TINY } from "./site.mjs";

/** Runs `wholeJob` of app/job.js in the page and checks everything it found. */
export async function wholeJob(page, options) {
  const [source, folder] = [TINY[options.pooling], place(TINY[options.pooling])];
  const found = await page.evaluate(
    ([source, folder, options]) => job.wholeJob(ia3, source, folder, { baseUrl: "/hub", ...options }),
    [source, folder, options],
  );
  trained(found, options);
  answered(found, options);
  assert.equal(found.mergedBytes.received, found.mergedBytes.announced);
  return found;
}

function trained({ device, progress, events, result, evaluation, adapters, trainable, memory }, options) {
  assert.equal(device, options.device);
  assert.equal(progress.at(-1), "ready");
  const steps = events.filter((event) => event.type === "step");
  assert.deepEqual(steps.map((event) => event.step), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(steps.map((event) => event.loss), result.losses);
  assert.ok(steps.every((event) => event.totalSteps === 6 && event.gradNorm > 0 && event.ms >= 0));
  assert.ok(events.some((event) => event.type === "eval"));
  assert.deepEqual(events.at(-1), { type: "end", reason: "completed" });
  assert.ok(Math.min(...result.losses.slice(3)) < result.losses[0], `the loss went ${result.losses}`);
  assert.equal(result.reason, "completed");
  assert.ok(result.before.loss > 0 && result.after.loss > 0);
  const counted = evaluation.confusion.flat().reduce((sum, count) => sum + count);
  assert.equal(counted, EXAMPLES.length);
  assert.deepEqual(adapters, ["one", "two", "files", "zip", "blob", "same"]);
  close(trainable.percentage, (100 * trainable.trainable) / trainable.total, 1e-9, "percentage");
  assert.ok(memory.weightBytes > 40_000 && memory.wasmBytes > memory.weightBytes);
  const inBuffers = memory.weightBytes + memory.activationBytes;
  assert.ok(device === "webgpu" ? memory.gpuBytes >= inBuffers : memory.gpuBytes === 0, `${memory.gpuBytes} bytes on ${device}`);
}

function answered({ answers, embeddings }, { pooling }) {
  for (const each of Object.values(answers)) {
    for (const { label, score, scores } of each) {
      assert.equal(label, LABELS[scores.indexOf(score)]);
      close(scores.reduce((sum, value) => sum + value), 1, 1e-5, "a row's probabilities");
    }
  }
  otherAnswers(answers.one, answers.base, "training one");
  otherAnswers(answers.two, answers.one, "another adapter");
  otherAnswers(answers.both, answers.one, "two at once");
  otherAnswers(answers.half, answers.one, "the mean of two");
  sameAnswers(answers.active, answers.one, "the first adapter is active");
  sameAnswers(answers.switched, answers.two, "switched");
  sameAnswers(answers.rows, [answers.two[0], answers.base[1], answers.one[2]], "one adapter per row");
  for (const again of ["files", "zip", "blob", "same"]) sameAnswers(answers[again], answers.one, again);
  close(embeddings.merged, embeddings.one, 1e-4, "merged embeddings");
  if (pooling === "pooler") sameAnswers(answers.merged, answers.one, "merged answers");
  else for (const vector of embeddings.one) close(Math.hypot(...vector), 1, 1e-5, "length");
}

/** Bytes of files as they left the page. */
export const bytesOf = (files) => Object.fromEntries(Object.entries(files).map(([name, text]) => [name, Buffer.from(text, "base64")]));

/** Leaves an adapter of the whole job, with what it answers here, for tests/python/check_export.py. */
export function leaveForPython(name, { saved, embeddings, answers }, pooling) {
  const files = bytesOf(saved.one);
  const head = pooling === "mean" ? tensors(files["head.safetensors"]) : tensors(files["adapter_model.safetensors"]);
  const part = (which) => head[pooling === "mean" ? which : `base_model.model.classifier.${which}`].data;
  const rows = logits(embeddings.one, part("weight"), part("bias"));
  close(rows.map(softmax), scores(answers.one), 1e-5, "logits made of the embeddings and the head");
  const texts = TEXTS.map((text) => (typeof text === "string" ? text : [text.text, text.textPair]));
  const expected = { texts, logits: rows, ...(pooling === "mean" && { embeddings: embeddings.one }) };
  leave(name, pooling === "mean" ? "tiny-bert-mean" : "tiny-bert", files, expected);
}

/** Writes an adapter folder in the layout that tests/python reads. */
export function leave(name, base, files, expected) {
  const folder = join(folders().out, "adapters-for-python", name);
  mkdirSync(folder, { recursive: true });
  const all = { ...files, "base.txt": `${base}\n`, "expected.json": JSON.stringify(expected) };
  for (const [file, contents] of Object.entries(all)) writeFileSync(join(folder, file), contents);
}

function softmax(row) {
  const largest = Math.max(...row);
  const powers = row.map((value) => Math.exp(value - largest));
  const sum = powers.reduce((total, value) => total + value);
  return powers.map((value) => value / sum);
}
