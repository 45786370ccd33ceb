// jax-js: functions that are traced and compiled. Each use of an array consumes it, unless it goes through `.ref`.

import * as jax from "@jax-js/jax";
import { convert, encoder, EPSILON, LEARNING_RATE, MATMUL, operands, SIZES } from "./problem.mjs";

const { numpy: np, nn, tree, jit, valueAndGrad } = jax;
const { heads, hidden, batch, length, classes } = SIZES;
const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-7 };

export async function open(device) {
  if (!(await jax.init(device)).includes(device)) throw new Error(`jax-js has no ${device} here`);
  jax.defaultDevice(device);
  return { matmul, "encoder-forward": forward, "encoder-train": train };
}

const array = ({ data, shape }) => np.array(data).reshape(shape);

function matmul() {
  const { a, b } = convert(operands(), array);
  const product = jit((a, b) => np.matmul(a, b));
  const run = async () => {
    // Every result is kept until it is there: work whose result was disposed of before it ran is dropped.
    const results = Array.from({ length: MATMUL.repeat }, () => product(a.ref, b.ref));
    await jax.blockUntilReady(results);
    const [read, ...others] = results;
    others.forEach((result) => result.dispose());
    const [first] = await read.slice([0, 1], [0, 1]).data();
    return first;
  };
  return { repeat: MATMUL.repeat, run };
}

function forward() {
  const { layers, head, states } = encoder();
  const given = convert({ layers, head, states }, array);
  const pass = jit(({ layers, head, states }) => logits(states, layers, undefined, head));
  const run = async () => {
    const [first] = await pass(tree.ref(given)).data();
    return first;
  };
  return { run };
}

function train() {
  const { layers, states, vectors, head, labels } = encoder();
  const targets = nn.oneHot(np.array(labels, { dtype: np.int32 }), classes);
  const frozen = { ...convert({ layers, states }, array), targets };
  let trained = convert({ vectors, head }, array);
  const zeros = () => tree.map((each) => np.zerosLike(each), tree.ref(trained));
  let moments = { first: zeros(), second: zeros() };
  let steps = 0;
  const step = jit(adamStep);
  const run = async () => {
    const result = step(trained, moments, np.array(++steps, { dtype: np.float32 }), tree.ref(frozen));
    ({ trained, moments } = result);
    await jax.blockUntilReady(trained);
    const [loss] = await result.loss.data();
    return loss;
  };
  return { run };
}

function adamStep(trained, moments, steps, frozen) {
  const { beta1, beta2, epsilon } = ADAM;
  const [loss, gradients] = valueAndGrad(crossEntropy)(tree.ref(trained), frozen);
  const first = tree.map((m, g) => m.mul(beta1).add(g.mul(1 - beta1)), moments.first, tree.ref(gradients));
  const second = tree.map((v, g) => v.mul(beta2).add(np.square(g).mul(1 - beta2)), moments.second, gradients);
  const bias1 = np.subtract(1, np.power(beta1, steps.ref));
  const bias2 = np.subtract(1, np.power(beta2, steps));
  const moved = (p, m, v) => p.sub(m.div(bias1.ref).mul(LEARNING_RATE).div(np.sqrt(v.div(bias2.ref)).add(epsilon)));
  const next = tree.map(moved, trained, tree.ref(first), tree.ref(second));
  bias1.dispose();
  bias2.dispose();
  return { loss, trained: next, moments: { first, second } };
}

function crossEntropy({ vectors, head }, { layers, states, targets }) {
  return nn.logSoftmax(logits(states, layers, vectors, head), -1).mul(targets).sum(-1).mean().mul(-1);
}

function logits(states, layers, vectors, head) {
  const last = layers.reduce((x, layer, at) => block(x, layer, vectors?.[at]), states);
  return linear(last.reshape([batch, length, hidden]).mean(1), head);
}

function block(x, layer, vectors) {
  const scaled = (y, name) => (vectors ? y.mul(vectors[name]) : y);
  const query = split(linear(x.ref, layer.query));
  const key = split(scaled(linear(x.ref, layer.key), "key"));
  const value = split(scaled(linear(x.ref, layer.value), "value"));
  const context = nn.dotProductAttention(query, key, value).reshape([batch * length, hidden]);
  const y = norm(x.add(linear(context, layer.attentionOutput)), layer.attentionNorm);
  const inner = scaled(nn.gelu(linear(y.ref, layer.intermediate), { approximate: false }), "output");
  return norm(y.add(linear(inner, layer.output)), layer.outputNorm);
}

const linear = (x, { weight, bias }) => np.dot(x, weight).add(bias);
const split = (x) => x.reshape([batch, length, heads, hidden / heads]);
const norm = (x, { weight, bias }) => nn.standardize(x, -1, { epsilon: EPSILON }).mul(weight).add(bias);
