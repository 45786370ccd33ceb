// What language models do here: SmolLM2-135M-Instruct from a GGUF writes greedily after a prompt of 128 tokens, and learns 4 texts of 64.

const NAME = "SmolLM2-135M-Instruct";
/** Files by number format, under the Hub's address: the set-up's, and the same weights quantised to 8 bits by bench.sh. */
const FILES = {
  q4_1: `QuantFactory/${NAME}-GGUF/resolve/main/${NAME}.Q4_1.gguf`,
  q8_0: `requantised/${NAME}-GGUF/resolve/main/${NAME}.Q8_0.gguf`,
};
/** Tokens of the prompt. */
export const PREFILL = 128;
/** Tokens that are generated and timed, behind the first one. A software adapter takes a second for each. */
export const DECODE = { wasm: 64, webgpu: 8 };
/** A batch to learn. */
export const TRAIN = { batchSize: 4, maxLength: 64 };

const WORDS = ["The", "letter", "came", "late", "and", "my", "answer", "was", "wrong", "again", "please", "call"];

/** The address of the model in a number format. */
export const fileOf = (format) => `/hub/${FILES[format]}`;

/** A prompt; every `at` gives another, so that nothing of it can have been kept from a run before. */
export function prompt(at) {
  return text(at, PREFILL);
}

/** Texts that fill a batch, with the token that ends each. */
export function learned() {
  return Array.from({ length: TRAIN.batchSize }, (_, at) => ({ text: text(at, TRAIN.maxLength - 1) }));
}

/** A text of words that are one token each. */
function text(at, words) {
  const word = (place) => WORDS[(place * (1 + (at % 5)) + at) % WORDS.length];
  return Array.from({ length: words }, (_, place) => word(place)).join(" ");
}
