// The types of adapters: their options, what loading, saving, combining and merging take and give.

import type { LocalFiles, SourceOptions } from "./types.js";

/** Options of `model.addAdapter`; what is left out takes PEFT's value for the model type. */
export interface AdapterOptions {
  /**
   * Modules that get a vector: suffixes of module names, a regular expression for whole names, `"all-linear"`, or `"paper"` for keys,
   * values and the input of the second feed-forward layer.
   */
  targetModules?: string | readonly string[];
  /** Those targets whose *input* is scaled. A list must be a subset of `targetModules`. */
  feedforwardModules?: string | readonly string[];
  /** Modules that get none although `targetModules` names them. */
  excludeModules?: string | readonly string[];
  /** Only targets in these layers, counted from 0. Saved as a regular expression, which PEFT loads. */
  layers?: readonly number[];
  /** Modules trained and saved whole beside the vectors (the head with `pooling: "pooler"`). */
  modulesToSave?: readonly string[];
  /** `true` (default): vectors of ones, so that a fresh adapter changes nothing; `false`: random normal. */
  initIa3Weights?: boolean;
  /**
   * How the vectors start instead: as ones, or drawn around one with a standard deviation (`normal`) or evenly up to a distance (`uniform`).
   * Not beside `initIa3Weights` or `from`.
   */
  init?: "ones" | { normal: number } | { uniform: number };
  /** Seed of random vectors; it draws the same numbers everywhere. Default 0. */
  seed?: number;
  /**
   * A second vector b beside every vector w, added after it: `h ⊙ w + b`. It starts as zeros and is trained, saved (in a file of its own,
   * `ia3_shift.safetensors`, since PEFT has no such vector) and merged with w. Default: as the adapter of `from`, otherwise `false`.
   */
  shift?: boolean;
  /**
   * One value for each attention head in the vectors of queries, keys and values, in place of one for each channel; saved as ordinary vectors
   * whose values repeat (`ia3_options.json` says so to `loadAdapter`). Default: as the adapter of `from`, otherwise `false`.
   */
  perHead?: boolean;
  /**
   * Starts from the vectors of another adapter: one of the model, by name, or a saved one, by its files or a zip of them. It has the same
   * targets unless `targetModules` and the like say otherwise; vectors that the other lacks start as they would without it.
   */
  from?: string | LocalFiles | Blob | Uint8Array;
}

/** Options of `model.saveAdapter`. */
export interface SaveOptions {
  /**
   * `ia3-web` (default): the files that PEFT reads, and beside them what they have no room for: the head of `pooling: "mean"`, labels,
   * shifts. `peft`: `adapter_config.json` and `adapter_model.safetensors` alone; an adapter with a shift is refused with code `bad-adapter`,
   * because PEFT would leave the shift out.
   */
  format?: "ia3-web" | "peft";
}

/** Options of `model.loadAdapter`, for a source that has to be fetched. */
export type LoadAdapterOptions = SourceOptions;

/** What `model.loadAdapter` found. */
export interface LoadedAdapter {
  /** What the files lack or have too much of; the adapter works without. */
  warnings: string[];
}

/**
 * What `setAdapter` accepts: one adapter, `null` for the base, or several whose vectors multiply. With shifts they apply in the order given:
 * `(h ⊙ w1 + b1) ⊙ w2 + b2`.
 */
export type ActiveAdapter = string | null | readonly string[];

/**
 * What the `adapter` option of a call accepts: one adapter for all rows, `null` for the base, or one name-or-null PER ROW
 * (the list must be as long as the inputs). Left out: the active adapter or adapters.
 */
export type AdapterChoice = string | null | readonly (string | null)[];

/** Options of `model.combineAdapters`. */
export interface CombineOptions {
  /** One factor per source. Default: `1 / n` each. */
  weights?: readonly number[];
  /** What a source counts for where it has no vector: `one` (default), the base's behaviour, or `zero`, PEFT's rule. */
  missing?: "one" | "zero";
}

/** How much of the model an adapter trains. */
export interface TrainableParameters {
  trainable: number;
  /** Parameters of base and adapter together. */
  total: number;
  /** `100 * trainable / total`. */
  percentage: number;
}

/** The kinds of file that a merged model can be. */
export type MergeFormat = "safetensors" | "gguf";

/** Options of `model.mergeAdapter`. */
export interface MergeOptions {
  /**
   * `gguf`: the GGUF that the base model was read from, with its settings, names and number formats; the vectors go into the scales of its
   * blocks, so that nothing is quantised again. `safetensors`: floats of 32 bits under Hugging Face's names, with the head where there is one.
   * Default: `gguf` where the base model is one and has no head, otherwise `safetensors`.
   */
  format?: MergeFormat;
  /**
   * For a GGUF: quantise again the weights whose blocks cannot take a vector up (an input vector where no gate is, as GPT-2's and BERT's),
   * and those that are not kept in their file's blocks (GPT-2's). To Q8_0 where the format is one that ends in K. Default `false`: such an
   * adapter is refused with code `not-foldable`, whose `details.modules` names the layers.
   */
  requantise?: boolean;
}

/** A whole model file as a stream; what is not read is not made. */
export type MergedStream = ReadableStream<Uint8Array> & {
  /** Bytes in all. */
  readonly size: number;
  /** What kind of file it is. */
  readonly format: MergeFormat;
};
