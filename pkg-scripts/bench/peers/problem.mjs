// What every peer computes: the shapes of MiniLM on 8 texts of 64 tokens, with the same seeded numbers for all.

/** The encoder, its batch, and the head that trains with the IA3 vectors. */
export const SIZES = { layers: 6, hidden: 384, heads: 12, inner: 1536, batch: 8, length: 64, classes: 2 };
/** The product of matrices, and how many of them a run does. */
export const MATMUL = { rows: 512, inner: 384, outer: 1536, repeat: 2 };
export const EPSILON = 1e-12;
export const LEARNING_RATE = 5e-3;
const SEED = 7;

/** Both operands of the product. */
export function operands() {
  const random = normal(SEED);
  return { a: random([MATMUL.rows, MATMUL.inner], 1), b: random([MATMUL.inner, MATMUL.outer], 1) };
}

/** Frozen layers, what is trained, and one batch. Weights are `(in, out)`. */
export function encoder() {
  const { layers, hidden, inner, batch, length, classes } = SIZES;
  const random = normal(SEED);
  const linear = (from, to) => ({ weight: random([from, to], 0.05), bias: random([to], 0.02) });
  const norm = () => ({ weight: filled([hidden], 1), bias: filled([hidden], 0) });
  const layer = () => ({
    query: linear(hidden, hidden),
    key: linear(hidden, hidden),
    value: linear(hidden, hidden),
    attentionOutput: linear(hidden, hidden),
    attentionNorm: norm(),
    intermediate: linear(hidden, inner),
    output: linear(inner, hidden),
    outputNorm: norm(),
  });
  const vectors = () => ({ key: filled([hidden], 1), value: filled([hidden], 1), output: filled([inner], 1) });
  return {
    layers: Array.from({ length: layers }, layer),
    vectors: Array.from({ length: layers }, vectors),
    head: { weight: random([hidden, classes], 0.05), bias: filled([classes], 0) },
    states: random([batch * length, hidden], 1),
    labels: Int32Array.from({ length: batch }, (_, row) => row % classes),
  };
}

/** The same lists and records with each tensor made into what a library takes. */
export function convert(tree, make) {
  if (tree.data) return make(tree);
  if (Array.isArray(tree)) return tree.map((part) => convert(part, make));
  return Object.fromEntries(Object.entries(tree).map(([name, part]) => [name, convert(part, make)]));
}

function filled(shape, value) {
  return { shape, data: new Float32Array(sizeOf(shape)).fill(value) };
}

/** Makes tensors of normally distributed numbers; the order of calls decides which. */
function normal(seed) {
  const next = uniform(seed);
  const draw = () => Math.sqrt(-2 * Math.log(next() + 1e-12)) * Math.cos(2 * Math.PI * next());
  return (shape, deviation) => ({ shape, data: Float32Array.from({ length: sizeOf(shape) }, () => deviation * draw()) });
}

function sizeOf(shape) {
  return shape.reduce((product, size) => product * size, 1);
}

/** Mulberry32: numbers from 0 to 1. */
function uniform(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
