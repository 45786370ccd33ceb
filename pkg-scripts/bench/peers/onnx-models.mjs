// The problem as ONNX models, in the ops that an exporter writes.

import { OnnxGraph } from "./onnx-graph.mjs";
import { EPSILON, SIZES } from "./problem.mjs";

const { heads, hidden, batch, length, classes } = SIZES;

/** `y = a b`. */
export function matmulModel([rows, inner], [, outer]) {
  const graph = new OnnxGraph();
  graph.node("MatMul", [graph.input("a", [rows, inner]), graph.input("b", [inner, outer])], {}, "y");
  graph.output("y", [rows, outer]);
  return graph.model();
}

/** The encoder with mean pooling and head: `states` to `logits`. */
export function encoderModel({ layers, head, states }) {
  const graph = new OnnxGraph();
  const ops = opsOf(graph);
  const input = graph.input("states", states.shape);
  const last = layers.reduce((x, layer) => block(ops, x, layer), input);
  const pooled = graph.node("ReduceMean", [ops.reshape(last, [batch, length, hidden])], { axes: [1], keepdims: 0 });
  const { weight, bias } = head;
  graph.node("Add", [graph.node("MatMul", [pooled, graph.constant(weight)]), graph.constant(bias)], {}, "logits");
  graph.output("logits", [batch, classes]);
  return graph.model();
}

function opsOf(graph) {
  const op = (name) => (...inputs) => graph.node(name, inputs);
  const [add, multiply, matmul, erf, softmax] = ["Add", "Mul", "MatMul", "Erf", "Softmax"].map(op);
  const transpose = (x, perm) => graph.node("Transpose", [x], { perm });
  const reshape = (x, shape) => graph.node("Reshape", [x, graph.integers(shape)]);
  const linear = (x, { weight, bias }) => add(matmul(x, graph.constant(weight)), graph.constant(bias));
  const norm = (x, { weight, bias }) =>
    graph.node("LayerNormalization", [x, graph.constant(weight), graph.constant(bias)], { axis: -1, epsilon: { float: EPSILON } });
  const scale = (x, factor) => multiply(x, graph.scalar(factor));
  const gelu = (x) => multiply(scale(x, 0.5), add(erf(scale(x, Math.SQRT1_2)), graph.scalar(1)));
  return { add, matmul, softmax, transpose, reshape, linear, norm, scale, gelu };
}

function block({ add, matmul, softmax, transpose, reshape, linear, norm, scale, gelu }, x, layer) {
  const split = (y, order) => transpose(reshape(y, [batch, length, heads, hidden / heads]), order);
  const query = split(linear(x, layer.query), [0, 2, 1, 3]);
  const key = split(linear(x, layer.key), [0, 2, 3, 1]);
  const value = split(linear(x, layer.value), [0, 2, 1, 3]);
  const weights = softmax(scale(matmul(query, key), 1 / Math.sqrt(hidden / heads)));
  const context = reshape(transpose(matmul(weights, value), [0, 2, 1, 3]), [batch * length, hidden]);
  const y = norm(add(x, linear(context, layer.attentionOutput)), layer.attentionNorm);
  return norm(add(y, linear(gelu(linear(y, layer.intermediate)), layer.output)), layer.outputNorm);
}
