// Builds an ONNX model node by node. Field numbers are those of onnx.proto3.

import { Message } from "./protobuf.mjs";

const [FLOAT, INT64] = [1, 7];
const [ATTRIBUTE_FLOAT, ATTRIBUTE_INT, ATTRIBUTE_INTS] = [1, 2, 7];
const IR_VERSION = 8;
const OPSET = 17;

/** A graph under construction. Values are named by strings; every method that makes one returns its name. */
export class OnnxGraph {
  #nodes = [];
  #constants = [];
  #inputs = [];
  #outputs = [];
  #names = 0;

  input(name, shape) {
    this.#inputs.push(valueInfo(name, shape));
    return name;
  }

  output(name, shape) {
    this.#outputs.push(valueInfo(name, shape));
  }

  /** A float tensor. */
  constant({ shape, data }) {
    return this.#constant(shape, FLOAT, data);
  }

  scalar(value) {
    return this.#constant([], FLOAT, Float32Array.of(value));
  }

  /** A list of integers, such as a shape. */
  integers(values) {
    return this.#constant([values.length], INT64, BigInt64Array.from(values, BigInt));
  }

  /** Appends a node with one output. Attributes are integers, lists of integers, or `{ float }`. */
  node(op, inputs, attributes = {}, output = this.#name()) {
    const node = new Message();
    for (const input of inputs) node.text(1, input);
    node.text(2, output).text(4, op);
    for (const [name, value] of Object.entries(attributes)) node.message(5, attribute(name, value));
    this.#nodes.push(node);
    return output;
  }

  /** The model's bytes. */
  model() {
    const graph = new Message();
    for (const node of this.#nodes) graph.message(1, node);
    graph.text(2, "graph");
    for (const constant of this.#constants) graph.message(5, constant);
    for (const input of this.#inputs) graph.message(11, input);
    for (const output of this.#outputs) graph.message(12, output);
    const opset = new Message().text(1, "").integer(2, OPSET);
    return new Message().integer(1, IR_VERSION).message(7, graph).message(8, opset).done();
  }

  #constant(shape, type, data) {
    const name = this.#name();
    const tensor = new Message();
    for (const size of shape) tensor.integer(1, size);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.#constants.push(tensor.integer(2, type).text(8, name).bytes(9, bytes));
    return name;
  }

  #name() {
    return `value${this.#names++}`;
  }
}

function valueInfo(name, shape) {
  const sizes = new Message();
  for (const size of shape) sizes.message(1, new Message().integer(1, size));
  const tensor = new Message().integer(1, FLOAT).message(2, sizes);
  return new Message().text(1, name).message(2, new Message().message(1, tensor));
}

function attribute(name, value) {
  const message = new Message().text(1, name);
  if (Array.isArray(value)) {
    for (const each of value) message.integer(8, each);
    return message.integer(20, ATTRIBUTE_INTS);
  }
  if (typeof value === "object") return message.float(2, value.float).integer(20, ATTRIBUTE_FLOAT);
  return message.integer(3, value).integer(20, ATTRIBUTE_INT);
}
