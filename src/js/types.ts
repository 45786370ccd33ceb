// The types of the public API: sources, options, events and results, with their units and defaults.

import type { AdapterChoice } from "./adapter-types.js";
import type { ProgressEvent } from "./progress-event.js";

export type * from "./adapter-types.js";
export type * from "./example-types.js";
export type * from "./generation-types.js";
export type * from "./progress-event.js";
export type * from "./result-types.js";
export type * from "./training-types.js";

/** Which executor runs the model: `webgpu` on the graphics card, `wasm` on the processor. */
export type Device = "webgpu" | "wasm";

/**
 * What the model is for: a label for each text, a label for each word, the part of a text that answers a question, what follows a text
 * (decoders), what a text becomes (encoder-decoder models), or one vector per text.
 */
export type Task =
  | "text-classification"
  | "token-classification"
  | "question-answering"
  | "text-generation"
  | "text2text-generation"
  | "feature-extraction";

/**
 * How token states become one vector per text: `mean` over the attention mask, then L2-normalised (sentence-transformers),
 * or `pooler`, as transformers' `...ForSequenceClassification` of the family does it (BERT: tanh of a layer over the first token).
 */
export type Pooling = "mean" | "pooler";

/** Files by name or path; only the part after the last `/` has to match the name that is looked for. */
export type FileMap = Readonly<Record<string, Blob | Uint8Array>>;

/** Files that a person picked or dropped, or files by name. */
export type LocalFiles = FileList | readonly File[] | FileMap;

/**
 * Where a base model comes from: a Hub id (`"sentence-transformers/all-MiniLM-L6-v2"`), the URL of a folder (it starts with
 * `http://`, `https://`, `/`, `./` or `../`), or files: `config.json`, `tokenizer.json` and `model.safetensors`,
 * or in its place `model.safetensors.index.json` and the shards that it names. Where there are, `tokenizer_config.json`,
 * `chat_template.jinja`, `special_tokens_map.json` and `chat_template.json` say how the model chats.
 *
 * Or one GGUF: its URL (the path ends in `.gguf`), the option `ggufFile` beside a Hub id or folder, or a file whose name ends in `.gguf`.
 * Configuration, tokenizer, special tokens and chat template are then its own; other files beside it are not read.
 */
export type ModelSource = string | LocalFiles;

/**
 * Where an adapter comes from: files, a zip of them (`Blob` or bytes), the URL of a folder or of a `.zip`, or a Hub id.
 * A sub-folder inside a zip or a file list is found by its `adapter_config.json`.
 */
export type AdapterSource = string | LocalFiles | Blob | Uint8Array;

/** A saved adapter: file names (`adapter_config.json`, `adapter_model.safetensors`, ...) to contents. */
export type AdapterFiles = Record<string, Uint8Array>;

/** Where files are fetched from and how they are checked. */
export interface SourceOptions {
  /** Hub that ids are resolved against, as `<baseUrl>/<id>/resolve/<revision>/<file>`. Default `https://huggingface.co`. */
  baseUrl?: string;
  /** Branch, tag or commit of a Hub id. Default `main`. */
  revision?: string;
  /** Ends the work; the promise rejects with `signal.reason`. */
  signal?: AbortSignal;
}

/**
 * Floats of 32 or 16 bits; 8 bits and a scale (GGUF's Q8_0), or 4 bits, a scale and a minimum (Q4_1), for every 32 elements of a row. What is
 * no matrix, and matrices whose rows are not whole blocks, are `f32` in any case. Computed with are floats of 32 bits, whatever is kept.
 */
export type Dtype = "f32" | "f16" | "q8" | "q4";

/** Number formats in which activations can be kept. */
export type ActivationDtype = "f32" | "f16";

/** Where the files of a base model are fetched from. */
export interface ModelSourceOptions extends SourceOptions {
  /**
   * The GGUF of a Hub id or folder that is the model, such as `"SmolLM2-135M-Instruct.Q4_1.gguf"` (transformers' `gguf_file`); among files
   * that were given, the one to take where there are several.
   */
  ggufFile?: string;
}

/** Where the engine runs. */
export interface EngineOptions {
  /**
   * `true` (default): a dedicated worker of the model's own. `false`: the calling thread, which blocks while the processor works.
   * A `Worker` that runs `ia3-web/worker.js`, or `ia3-web/worker-threads.js` for `threads`, serves one model and is not terminated; since
   * a crashed one cannot be replaced, prefer a function that makes one.
   */
  worker?: boolean | Worker | (() => Worker);
}

/** Options of `Model.fromPretrained`. */
export interface LoadOptions extends ModelSourceOptions, EngineOptions {
  /** Default `text-classification` if `labels` are given, otherwise `feature-extraction`. */
  task?: Task;
  /** Class names, in the order of the head's rows. At least two for `text-classification` and `token-classification`. */
  labels?: readonly string[];
  /** Default `mean`. */
  pooling?: Pooling;
  /** `auto` (default): WebGPU on a real graphics card, otherwise the processor; `model.deviceInfo.reason` says why. */
  device?: "auto" | Device;
  /**
   * Threads that share the work on the processor, where the page is cross-origin isolated (`Cross-Origin-Opener-Policy: same-origin` and
   * `Cross-Origin-Embedder-Policy: require-corp`) and the engine is in a worker; elsewhere one. Default: as many as the processor has cores, but
   * at most 4. Answers and training are the same to the bit, whatever their number.
   */
  threads?: number;
  /**
   * The number format in which the matrices of the model are kept in memory, quantised while they are loaded. Default: a GGUF's own formats, and
   * `f32` for other files.
   */
  dtype?: Dtype;
  /**
   * The number format in which WebGPU keeps what matrices and attention multiply; arithmetic, vectors, gradients and sums stay in `f32`. `f16`
   * takes less memory and rounds to 11 significant bits, where the device has `shader-f16`; elsewhere it is `f32`, and
   * `model.deviceInfo.activationDtype` says so. Default `f32`, which is exact like PEFT.
   */
  activationDtype?: ActivationDtype;
  /** Keep downloads in the browser's Cache API, so that later loads need no network. Default `true`. */
  cache?: boolean;
  /** Hub id written into saved adapters as their base. Default: the source, if it is a Hub id. */
  modelId?: string;
  /** Expected SHA-256 by file name, in hex; a file that differs is refused with code `file-hash`. */
  sha256?: Readonly<Record<string, string>>;
  /**
   * A Jinja chat template in place of the model's own, for `text-generation`. Default: that of `chat_template.jinja`, `tokenizer_config.json`
   * or `chat_template.json`, or of the GGUF; without any, only what has no messages works.
   */
  chatTemplate?: string;
  /** Seed of everything random in the model (a fresh `pooler` head). Default 0. */
  seed?: number;
  /**
   * The shape whose WebGPU pipelines, for answers and for training, are compiled while loading, so that the first calls do not wait for
   * them; `false` leaves it to those. Default `{ batchSize: 8, maxLength: 64 }`.
   */
  warmUp?: false | { batchSize?: number; maxLength?: number };
  /** Called for every step of loading, in the event shapes of transformers.js. */
  onProgress?: (event: ProgressEvent) => void;
}

/** Options of `Model.estimate`. */
export interface EstimateOptions extends ModelSourceOptions, EngineOptions {
  /** As for `Model.fromPretrained`. */
  dtype?: Dtype;
  /** As for `Model.fromPretrained`; with `f16` the estimate is that of a device which has `shader-f16`. */
  activationDtype?: ActivationDtype;
  /** Texts per pass of training; an input with choices is one, as long as all of them together. Default 8. */
  batchSize?: number;
  /** Tokens per text. Default 64. */
  maxLength?: number;
  /** Default `text-classification` if `labels` are given, otherwise `feature-extraction`. */
  task?: Task;
  /** Class names; only their number matters here. */
  labels?: readonly string[];
  /** Default `mean`. */
  pooling?: Pooling;
  /** Whether training will be told so. Default `false`. */
  activationCheckpointing?: boolean;
  /** Where training will run. Default `auto`: the memory of the device that needs more. */
  device?: "auto" | Device;
}

/** What `Model.estimate` finds out before any weight is fetched. */
export interface Estimate {
  /**
   * Bytes that loading will fetch: the GGUF, or configuration, tokenizer and weights; for `text-generation` also `tokenizer_config.json` and
   * `chat_template.jinja`, but not `special_tokens_map.json` and `chat_template.json`, a few kB that only some models need.
   */
  downloadBytes: number;
  /**
   * Bytes held while training with AdamW at the given shape, without validation: weights, activations, batch, adapter and optimiser state;
   * on WebGPU also what the largest tensor took in WebAssembly's memory, which gives none back.
   */
  memoryBytes: number;
  /** Bytes this browser can be expected to give: see `limitReason`. */
  limitBytes: number;
  /** What `limitBytes` was read from. */
  limitReason: "device-memory" | "heap-limit" | "default";
  /** `memoryBytes <= limitBytes`. */
  fits: boolean;
}

/** The device in use and why it was chosen. */
export interface DeviceInfo {
  device: Device;
  /** One sentence: why this device and not the other. */
  reason: string;
  /** As the browser tells it; empty if it does not. */
  vendor: string;
  architecture: string;
  description: string;
  /** Whether WebGPU offers only a software fallback. */
  isFallbackAdapter: boolean;
  /** WebGPU limits by name; empty on the processor. */
  limits: Record<string, number>;
  /** Threads that share the work on the processor; 1 on WebGPU. */
  threads: number;
  /** The number format in which activations are kept: `f16` only where it was asked for and the device can. */
  activationDtype: ActivationDtype;
}

/** Options of `model.applyChatTemplate`. */
export interface ChatTemplateOptions {
  /** Whether the text ends where the assistant's turn begins. Default `false`. */
  addGenerationPrompt?: boolean;
}

/** Options of `classify`, `tag`, `answer`, `score`, `embed` and `evaluate`. */
export interface RunOptions {
  adapter?: AdapterChoice;
  /** Texts per pass. Default 16. */
  batchSize?: number;
  /** Tokens per text at most; longer texts are cut and flagged. Default: what the model takes. */
  maxLength?: number;
  /** The promise rejects with `signal.reason`; the device stops after the pass it is at. */
  signal?: AbortSignal;
}

/** Options of `choose`; `batchSize` counts inputs, each with all of its choices. */
export interface ChooseOptions extends RunOptions {
  /** Power of its length that a choice's log-probability is divided by: 1 (default) is the mean of its tokens', 0 their sum. */
  lengthNorm?: number;
}

/** Bytes in use, as of the last completed call or training step. */
export interface MemoryInfo {
  /** The base model's weights on the device. */
  weightBytes: number;
  /** Activations and gradients of the programs in use. */
  activationBytes: number;
  /** Vectors, heads and optimiser state of all adapters. */
  adapterBytes: number;
  /** The WebAssembly memory. It never shrinks, so this is also the most that was needed so far. */
  wasmBytes: number;
  /** All buffers on the GPU, those of weights and activations included; 0 on the processor. */
  gpuBytes: number;
  /** Programs compiled, one per shape and use. */
  programs: number;
}

/** Options of `model.plan`. */
export interface PlanOptions {
  /** Default 8. */
  batchSize?: number;
  /** Tokens per text. Default 64. */
  maxLength?: number;
  /** The adapter that would be trained. Default: the first active one. */
  adapter?: string;
}

