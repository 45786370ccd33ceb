// The types of generating text: its options, tokens and result.

import type { AdapterChoice } from "./types.js";

/** Options of `model.generate`; those of sampling mean what they mean in transformers, and apply in its order. */
export interface GenerateOptions {
  /**
   * Tokens after each prompt at most. Default 64. With the prompt they have to fit into the model's context; for `text2text-generation` any number
   * can be asked for, since T5 has no last position, and the prompt alone has to fit.
   */
  maxNewTokens?: number;
  /** What logits are divided by before a token is drawn. 0 (default) takes the most probable token, and the next four options have no effect. */
  temperature?: number;
  /** Draw from so many of the most probable tokens only. */
  topK?: number;
  /** Draw from the most probable tokens that together have this probability, more than 0 and up to 1 (nucleus sampling). */
  topP?: number;
  /** Draw from tokens with at least this part, 0 to 1, of the probability of the most probable one. */
  minP?: number;
  /** Seed of the draws; each row has its own. Default 0. */
  seed?: number;
  /**
   * Makes tokens that are there already less probable: above 1. Default 1. For `text-generation` those of the prompt count too; for
   * `text2text-generation` only what was written.
   */
  repetitionPenalty?: number;
  /** Texts that end a row; they are not part of it. */
  stop?: string | readonly string[];
  /** Default: the active adapters. For a list of prompts also one name or `null` for each. */
  adapter?: AdapterChoice;
  /** Ends the loop over tokens; the promise rejects with `signal.reason`. */
  signal?: AbortSignal;
}

/** A generated token. */
export interface GeneratedToken {
  /** The prompt's number in the list; 0 for a single one. */
  row: number;
  id: number;
  /**
   * The text that it adds. May be empty: text waits until its characters are whole, and until it cannot be the start of a stop string.
   * All of a row's together are its text.
   */
  text: string;
  /** Why the row ends here; absent while it goes on. */
  finishReason?: "stop" | "length";
}

/** What was generated for one prompt. */
export interface GeneratedText {
  /** Without special tokens, up to a stop string. */
  text: string;
  /** All tokens, one that ended the text included. */
  tokenIds: number[];
  /** `stop`: a token that ends texts, or a stop string; `length`: `maxNewTokens`; `aborted`: it was ended early. */
  finishReason: "stop" | "length" | "aborted";
  /** Tokens of the prompt, with those of its chat template. */
  promptTokens: number;
}
