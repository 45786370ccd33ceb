// Numbers that should be the same, and the tensors of a safetensors file.

import assert from "node:assert/strict";

/** Fails if two lists of numbers, however nested, are further apart than `tolerance` anywhere. */
export function close(found, expected, tolerance, what) {
  const [a, b] = [[found].flat(Infinity), [expected].flat(Infinity)];
  assert.equal(a.length, b.length, `${what}: lengths`);
  const furthest = Math.max(...a.map((value, at) => Math.abs(value - b[at])));
  assert.ok(furthest <= tolerance, `${what}: ${furthest} apart (NaN: not a number)`);
}

/** The probabilities of a list of answers. */
export const scores = (answers) => answers.map((answer) => answer.scores);

/** Fails if two lists of answers differ by more than 1e-4. */
export const sameAnswers = (found, expected, what) => close(scores(found), scores(expected), 1e-4, what);

/** Fails if all probabilities of two lists of answers are the same. */
export function otherAnswers(found, expected, what) {
  const furthest = Math.max(...scores(found).flat().map((value, at) => Math.abs(value - scores(expected).flat()[at])));
  assert.ok(furthest > 1e-4, `${what}: nothing differs`);
}

/** The float32 tensors of a safetensors file, as views into its bytes: name -> {shape, data}. */
export function tensors(bytes) {
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const length = Number(new DataView(file).getBigUint64(0, true));
  const { __metadata__, ...header } = JSON.parse(Buffer.from(file, 8, length).toString());
  const view = ([name, { dtype, shape, data_offsets: [start, end] }]) => {
    assert.equal(dtype, "F32", name);
    return [name, { shape, start: 8 + length + start, data: new Float32Array(file.slice(8 + length + start, 8 + length + end)) }];
  };
  return Object.fromEntries(Object.entries(header).map(view));
}

/** A copy of a safetensors file with the contents of some tensors replaced. */
export function withTensors(bytes, replacements) {
  const [copy, known] = [Buffer.from(bytes), tensors(bytes)];
  for (const [name, data] of Object.entries(replacements)) {
    assert.equal(data.length, known[name]?.data.length, name);
    Buffer.from(data.buffer, data.byteOffset, data.byteLength).copy(copy, known[name].start);
  }
  return copy;
}

/** A linear head's logits: one row of `labels` numbers for each embedding. */
export function logits(embeddings, weight, bias) {
  const hidden = weight.length / bias.length;
  const dot = (vector, row) => vector.reduce((sum, value, at) => sum + value * weight[row * hidden + at], bias[row]);
  return embeddings.map((vector) => Array.from(bias, (_, row) => dot(vector, row)));
}
