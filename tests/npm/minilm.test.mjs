// all-MiniLM-L6-v2 against PyTorch and PEFT: the loss curve of tests/fixtures/minilm.

import assert from "node:assert/strict";
import { test } from "node:test";
import { close, tensors, withTensors } from "./compare.mjs";
import { bytesOf, leave } from "./job.mjs";
import { fixture, plainPage } from "./package.mjs";
import { MINILM, open } from "./site.mjs";

const RUN = JSON.parse(fixture("minilm/run.json"));
const EXAMPLES = RUN.sentences.map((text, row) => ({ text, label: RUN.label_names[RUN.labels[row]] }));
const CLASSIFIER = "base_model.model.classifier";

/** Steps of training from the fixture's head and vectors of ones. */
async function curve(page, device, steps) {
  const options = { baseUrl: "/hub", labels: RUN.label_names };
  const fresh = await page.evaluate(
    ([source, options]) => job.freshAdapter(ia3, source, options),
    [MINILM, { ...options, pooling: "pooler" }],
  );
  const start = bytesOf(fresh);
  const { weight, bias } = tensors(fixture("minilm/head.safetensors"));
  start["adapter_model.safetensors"] = withTensors(start["adapter_model.safetensors"], {
    [`${CLASSIFIER}.weight`]: weight.data,
    [`${CLASSIFIER}.bias`]: bias.data,
  });
  const files = Object.fromEntries(Object.entries(start).map(([name, bytes]) => [name, bytes.toString("base64")]));
  const found = await page.evaluate(
    ([source, files, options]) => job.lossCurve(ia3, source, files, options),
    [MINILM, files, { ...options, device, steps, examples: EXAMPLES }],
  );
  assert.equal(found.device, device);
  close(found.losses, RUN.losses.default.slice(0, steps), 1e-3, `losses on ${device}`);
  return found;
}

test("twenty steps on the processor follow PyTorch's loss curve, and end at its logits and vectors", async (t) => {
  const { page } = await open(t, plainPage(), { file: "plain.html" });
  const { scores, files } = await curve(page, "wasm", 20);
  const expected = tensors(fixture("minilm/expected.safetensors"))["default.final_logits"].data;
  const margins = scores.map(([bad, good]) => Math.log(good / bad));
  close(margins, margins.map((_, row) => expected[2 * row + 1] - expected[2 * row]), 5e-3, "differences of logits");
  const [ours, theirs] = [bytesOf(files), tensors(fixture("minilm/final.safetensors"))];
  const trained = tensors(ours["adapter_model.safetensors"]);
  assert.deepEqual(Object.keys(trained).sort(), Object.keys(theirs).sort());
  for (const [name, { data }] of Object.entries(theirs)) close([...trained[name].data], [...data], 5e-3, name);
  leave("minilm-curve", "minilm", ours, { texts: RUN.sentences, logits: pairs([...expected]) });
});

test("three steps on WebGPU follow it too", async (t) => {
  const { page } = await open(t, plainPage(), { file: "plain.html" });
  await curve(page, "webgpu", 3);
});

/** Numbers two by two. */
function pairs(numbers) {
  return Array.from({ length: numbers.length / 2 }, (_, row) => numbers.slice(2 * row, 2 * row + 2));
}
