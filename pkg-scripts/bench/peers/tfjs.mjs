// TensorFlow.js: eager ops and its own gradients.

import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops";
import "@tensorflow/tfjs-core/dist/register_all_gradients";
import { convert, encoder, EPSILON, LEARNING_RATE, MATMUL, operands, SIZES } from "./problem.mjs";

const { heads, hidden, batch, length, classes } = SIZES;
const WASM_FILES = "/npm/@tensorflow/tfjs-backend-wasm/dist/";

export async function open(device) {
  await start(device);
  return { matmul, "encoder-forward": forward, "encoder-train": train };
}

async function start(device) {
  if (device === "webgpu") await import("@tensorflow/tfjs-backend-webgpu");
  if (device === "wasm") {
    const { setThreadsCount, setWasmPaths } = await import("@tensorflow/tfjs-backend-wasm");
    setWasmPaths(WASM_FILES);
    setThreadsCount(navigator.hardwareConcurrency);
  }
  tf.enableProdMode();
  if (!(await tf.setBackend(device))) throw new Error(`tfjs has no ${device} here`);
  await tf.ready();
}

const tensor = ({ data, shape }) => tf.keep(tf.tensor(data, shape));
const variable = ({ data, shape }) => tf.variable(tf.tensor(data, shape));

/** Reads the first number, which waits for the device. */
async function read(result) {
  const [first] = await result.data();
  result.dispose();
  return first;
}

function matmul() {
  const { a, b } = convert(operands(), tensor);
  const products = () => {
    for (let at = 1; at < MATMUL.repeat; at++) tf.matMul(a, b);
    return tf.matMul(a, b).slice([0, 0], [1, 1]);
  };
  return { repeat: MATMUL.repeat, run: () => read(tf.tidy(products)) };
}

function forward() {
  const { layers, head, states } = encoder();
  const given = convert({ layers, head, states }, tensor);
  return { run: () => read(tf.tidy(() => logits(given.states, given.layers, undefined, given.head))) };
}

function train() {
  const problem = encoder();
  const { layers, states } = convert({ layers: problem.layers, states: problem.states }, tensor);
  const { vectors, head } = convert({ vectors: problem.vectors, head: problem.head }, variable);
  const trained = [...vectors.flatMap(Object.values), ...Object.values(head)];
  const targets = tf.keep(tf.oneHot(tf.tensor1d(problem.labels, "int32"), classes).toFloat());
  const optimizer = tf.train.adam(LEARNING_RATE);
  const loss = () => tf.neg(tf.mean(tf.sum(tf.logSoftmax(logits(states, layers, vectors, head)).mul(targets), -1)));
  return { run: () => read(optimizer.minimize(loss, true, trained)) };
}

function logits(states, layers, vectors, head) {
  const last = layers.reduce((x, layer, at) => block(x, layer, vectors?.[at]), states);
  return linear(last.reshape([batch, length, hidden]).mean(1), head);
}

function block(x, layer, vectors) {
  const scaled = (y, name) => (vectors ? y.mul(vectors[name]) : y);
  const query = split(linear(x, layer.query));
  const key = split(scaled(linear(x, layer.key), "key"));
  const value = split(scaled(linear(x, layer.value), "value"));
  const weights = tf.softmax(tf.matMul(query, key, false, true).mul(1 / Math.sqrt(hidden / heads)));
  const context = tf.matMul(weights, value).transpose([0, 2, 1, 3]).reshape([batch * length, hidden]);
  const y = norm(x.add(linear(context, layer.attentionOutput)), layer.attentionNorm);
  const inner = scaled(gelu(linear(y, layer.intermediate)), "output");
  return norm(y.add(linear(inner, layer.output)), layer.outputNorm);
}

const linear = (x, { weight, bias }) => x.matMul(weight).add(bias);
const split = (x) => x.reshape([batch, length, heads, hidden / heads]).transpose([0, 2, 1, 3]);
const gelu = (x) => x.mul(0.5).mul(x.mul(Math.SQRT1_2).erf().add(1));

function norm(x, { weight, bias }) {
  const centred = x.sub(x.mean(-1, true));
  return centred.mul(centred.square().mean(-1, true).add(EPSILON).rsqrt()).mul(weight).add(bias);
}
