// The types of the public API: sources, options, events and results, with their units and defaults.

/** Which executor runs the model: `webgpu` on the graphics card, `wasm` on the processor. */
export type Device = "webgpu" | "wasm";

/** What the model is for: labels for texts, or one vector per text. */
export type Task = "text-classification" | "feature-extraction";

/**
 * How token states become one vector per text: `mean` over the attention mask, then L2-normalised (sentence-transformers),
 * or the tanh `pooler` over the first token (transformers' `BertForSequenceClassification`).
 */
export type Pooling = "mean" | "pooler";

/** Files by name or path; only the part after the last `/` has to match the name that is looked for. */
export type FileMap = Readonly<Record<string, Blob | Uint8Array>>;

/** Files that a person picked or dropped, or files by name. */
export type LocalFiles = FileList | readonly File[] | FileMap;

/**
 * Where a base model comes from: a Hub id (`"sentence-transformers/all-MiniLM-L6-v2"`), the URL of a folder (it starts with
 * `http://`, `https://`, `/`, `./` or `../`), or files: `config.json`, `tokenizer.json` and `model.safetensors`.
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

/** Where the engine runs. */
export interface EngineOptions {
  /**
   * `true` (default): a dedicated worker of the model's own. `false`: the calling thread, which blocks while the processor works.
   * A `Worker` that runs this package's `worker.js` is used as it is and is not terminated; since a crashed one cannot be
   * replaced, prefer a function that makes one.
   */
  worker?: boolean | Worker | (() => Worker);
}

/** Options of `Model.fromPretrained`. */
export interface LoadOptions extends SourceOptions, EngineOptions {
  /** Default `text-classification` if `labels` are given, otherwise `feature-extraction`. */
  task?: Task;
  /** Class names, in the order of the head's rows. At least two for `text-classification`. */
  labels?: readonly string[];
  /** Default `mean`. */
  pooling?: Pooling;
  /** `auto` (default): WebGPU on a real graphics card, otherwise the processor; `model.deviceInfo.reason` says why. */
  device?: "auto" | Device;
  /** Keep downloads in the browser's Cache API, so that later loads need no network. Default `true`. */
  cache?: boolean;
  /** Hub id written into saved adapters as their base. Default: the source, if it is a Hub id. */
  modelId?: string;
  /** Expected SHA-256 by file name, in hex; a file that differs is refused with code `file-hash`. */
  sha256?: Readonly<Record<string, string>>;
  /** Seed of everything random in the model (a fresh `pooler` head). Default 0. */
  seed?: number;
  /**
   * The shape whose WebGPU pipelines are compiled while loading, so that the first call does not wait for them; `false` leaves it to the
   * first call. Default `{ batchSize: 8, maxLength: 64 }`.
   */
  warmUp?: false | { batchSize?: number; maxLength?: number };
  /** Called for every step of loading, in the event shapes of transformers.js. */
  onProgress?: (event: ProgressEvent) => void;
}

/** Options of `Model.estimate`. */
export interface EstimateOptions extends SourceOptions, EngineOptions {
  /** Texts per training step. Default 8. */
  batchSize?: number;
  /** Tokens per text. Default 64. */
  maxLength?: number;
  /** Default `text-classification` if `labels` are given, otherwise `feature-extraction`. */
  task?: Task;
  /** Class names; only their number matters here. */
  labels?: readonly string[];
  /** Default `mean`. */
  pooling?: Pooling;
}

/** What `Model.estimate` finds out before any weight is fetched. */
export interface Estimate {
  /** Bytes that loading will fetch: configuration, tokenizer and weights. */
  downloadBytes: number;
  /** Bytes held while training at the given shape: weights, activations, adapter and optimiser state. */
  memoryBytes: number;
  /** Bytes this browser can be expected to give: see `limitReason`. */
  limitBytes: number;
  /** What `limitBytes` was read from. */
  limitReason: "device-memory" | "heap-limit" | "default";
  /** `memoryBytes <= limitBytes`. */
  fits: boolean;
}

/** A file is about to be looked for, in the cache and then on the network. */
export interface InitiateEvent {
  status: "initiate";
  /** Hub id, folder URL or `files`. */
  name: string;
  /** File name. */
  file: string;
}

/** A file was found and its bytes begin to come. */
export interface DownloadEvent {
  status: "download";
  name: string;
  file: string;
  /** Whether the bytes come from the browser's cache. */
  cached: boolean;
}

/** Bytes of one file came in. */
export interface FileProgressEvent {
  status: "progress";
  name: string;
  file: string;
  /** 0 to 100; 0 while `total` is unknown. */
  progress: number;
  /** Bytes so far. */
  loaded: number;
  /** Bytes in all; 0 when the server does not say. */
  total: number;
}

/** Bytes of any file came in: the sum over all files whose size is known. */
export interface TotalProgressEvent {
  status: "progress_total";
  name: string;
  /** 0 to 100. */
  progress: number;
  loaded: number;
  total: number;
  /** The same per file. */
  files: Record<string, { loaded: number; total: number }>;
}

/** A file is complete and checked. */
export interface DoneEvent {
  status: "done";
  name: string;
  file: string;
}

/** A file could not be kept in the cache (quota, private window); loading continues without. */
export interface CacheSkippedEvent {
  status: "cache-skipped";
  name: string;
  file: string;
  /** What the browser said. */
  reason: string;
}

/** The files are in; the device compiles its pipelines. */
export interface WarmUpEvent {
  status: "warm-up";
  name: string;
  device: Device;
}

/** The model can be used. */
export interface ReadyEvent {
  status: "ready";
  task: Task;
  model: string;
}

/** What `onProgress` receives: transformers.js' shapes, and `cache-skipped` and `warm-up` of our own. */
export type ProgressEvent =
  | InitiateEvent
  | DownloadEvent
  | FileProgressEvent
  | TotalProgressEvent
  | DoneEvent
  | CacheSkippedEvent
  | WarmUpEvent
  | ReadyEvent;

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
}

/** Options of `model.addAdapter`; what is left out takes PEFT's value for the model type. */
export interface AdapterOptions {
  /** Modules that get a vector: suffixes of module names, a regular expression for whole names, or `"all-linear"`. */
  targetModules?: string | readonly string[];
  /** Those targets whose *input* is scaled. A list must be a subset of `targetModules`. */
  feedforwardModules?: string | readonly string[];
  /** Modules that get none although `targetModules` names them. */
  excludeModules?: string | readonly string[];
  /** Modules trained and saved whole beside the vectors (the head with `pooling: "pooler"`). */
  modulesToSave?: readonly string[];
  /** `true` (default): vectors of ones, so that a fresh adapter changes nothing; `false`: random normal. */
  initIa3Weights?: boolean;
  /** Seed of random vectors. Default 0. */
  seed?: number;
}

/** Options of `model.loadAdapter`, for a source that has to be fetched. */
export type LoadAdapterOptions = SourceOptions;

/** What `model.loadAdapter` found. */
export interface LoadedAdapter {
  /** What the files lack or have too much of; the adapter works without. */
  warnings: string[];
}

/** One text, or a pair of texts (token types 0 and 1). */
export interface TextInput {
  text: string;
  textPair?: string;
}

/** A text or pair with its label. */
export interface Example extends TextInput {
  /** One of the model's labels. */
  label: string;
}

/** What `classify` and `embed` accept: one text, or a list of texts and pairs. */
export type Inputs = string | TextInput | readonly (string | TextInput)[];

/** What `setAdapter` accepts: one adapter, `null` for the base, or several whose vectors multiply. */
export type ActiveAdapter = string | null | readonly string[];

/**
 * What the `adapter` option of a call accepts: one adapter for all rows, `null` for the base, or one name-or-null PER ROW
 * (the list must be as long as the inputs). Left out: the active adapter or adapters.
 */
export type AdapterChoice = string | null | readonly (string | null)[];

/** Options of `classify`, `embed` and `evaluate`. */
export interface RunOptions {
  adapter?: AdapterChoice;
  /** Texts per pass. Default 16. */
  batchSize?: number;
  /** Tokens per text at most; longer texts are cut and flagged. Default: what the model takes. */
  maxLength?: number;
  /** The promise rejects with `signal.reason`; the device stops after the pass it is at. */
  signal?: AbortSignal;
}

/** The answer for one text. */
export interface Classification {
  /** The most probable label. */
  label: string;
  /** Its probability, 0 to 1. */
  score: number;
  /** Probability of every label; they add up to 1. */
  scores: Record<string, number>;
  /** Whether the text was longer than `maxLength` and was cut. */
  truncated: boolean;
}

/** One vector per text, in order. */
export type Embeddings = Float32Array[] & {
  /** Per text: whether it was longer than `maxLength` and was cut. */
  readonly truncated: readonly boolean[];
};

/** How well a model does on labelled examples. */
export interface Metrics {
  /** Share of right answers, 0 to 1. */
  accuracy: number;
  /** Mean over labels of the F1 score, 0 to 1. */
  macroF1: number;
  /** Mean cross-entropy in nats. */
  loss: number;
}

/** What `evaluate` returns. */
export interface Evaluation extends Metrics {
  /** `confusion[actual][predicted]`: counts, in the order of the model's labels. */
  confusion: number[][];
}

/** What training minimises: see the README for when each is better. */
export type Objective = "cross-entropy" | "contrastive";

/** How the learning rate runs after the warm-up: down to 0 along a line or half a cosine, or not at all. */
export type Schedule = "linear" | "cosine" | "constant";

/** Options of `model.train`; the defaults are chosen by the number of classes and examples (README). */
export interface TrainOptions {
  /** Optimiser steps. Takes precedence over `epochs`. */
  steps?: number;
  /** Passes over the examples. */
  epochs?: number;
  /** Examples per pass. Default 8. */
  batchSize?: number;
  /** Peak learning rate of the IA3 vectors. */
  learningRate?: number;
  /** Peak learning rate of the head. */
  headLearningRate?: number;
  /** Default: chosen by the number of classes and examples. */
  objective?: Objective;
  /** With `objective: "contrastive"`: pairs against 1 or 0, or the supervised-contrastive form. Default `supervised`. */
  contrastiveLoss?: "cosine" | "supervised";
  /** Temperature of the supervised-contrastive loss. Default 0.1. */
  temperature?: number;
  /** AdamW is the only one. */
  optimizer?: "adamw";
  /** AdamW's decoupled weight decay. */
  weightDecay?: number;
  /** Share of the steps over which the learning rate rises from 0, 0 to 1. */
  warmupRatio?: number;
  schedule?: Schedule;
  /** Passes whose gradients are added up for one step. Default 1. */
  gradientAccumulation?: number;
  /** Gradients are scaled down to this global norm; 0 turns clipping off. Default 1. */
  maxGradNorm?: number;
  /** Tokens per text at most. */
  maxLength?: number;
  /** Seed of the order of examples. Default 0. */
  seed?: number;
  /** Held-out examples: the best step on them is kept, and the result has metrics before and after. */
  validation?: readonly Example[];
  /** Evaluations without a better one before training ends with reason `patience`. Needs `validation`. */
  patience?: number;
  /** Steps between evaluations. Needs `validation`. */
  evalEvery?: number;
  /** Ends training: the vectors so far are kept in the adapter, the run rejects with `signal.reason`. `run.stop()` ends it without an error. */
  signal?: AbortSignal;
}

/** One optimiser step was taken. */
export interface StepEvent {
  type: "step";
  /** 1 for the first. */
  step: number;
  totalSteps: number;
  /** Mean loss of the step's examples, before the step. */
  loss: number;
  learningRate: number;
  /** Global norm of the gradients before clipping. */
  gradNorm: number;
  /** Milliseconds this step took. */
  ms: number;
  /** Milliseconds left, estimated. */
  etaMs: number;
}

/** The validation examples were evaluated. */
export interface EvalEvent extends Metrics {
  type: "eval";
  step: number;
}

/** The graphics device was lost; training goes on from `step` on a fresh one. */
export interface DeviceLostEvent {
  type: "device-lost";
  /** The last completed step; nothing up to it is lost. */
  step: number;
}

/** Training ended by itself: always the last event then. */
export interface EndEvent {
  type: "end";
  reason: "completed" | "patience" | "diverged";
}

/** What iterating over a training run yields. */
export type TrainEvent = StepEvent | EvalEvent | DeviceLostEvent | EndEvent;

/** What a training run resolves to. */
export interface TrainResult {
  /** Loss of every step. */
  losses: number[];
  /** Steps taken. */
  steps: number;
  /** The step whose vectors the adapter now has: the best on `validation`, or the last one. */
  bestStep: number;
  /** Metrics on `validation` before training and of `bestStep`; absent without it. */
  before?: Metrics;
  after?: Metrics;
  /** Milliseconds in all. */
  ms: number;
  /**
   * Why training ended; `aborted` after `run.stop()`. A run that diverged (a loss that is no number) or failed rejects instead, and the
   * error's `details.result` is this object.
   */
  reason: "completed" | "patience" | "aborted" | "diverged" | "failed";
  /** The objective used, also where it was chosen. */
  objective: Objective;
}

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

/** Bytes in use, as of the last completed call or training step. */
export interface MemoryInfo {
  /** The base model's weights on the device. */
  weightBytes: number;
  /** Activations and gradients of the programs in use. */
  activationBytes: number;
  /** Vectors, heads and optimiser state of all adapters. */
  adapterBytes: number;
  /** The WebAssembly memory. */
  wasmBytes: number;
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

/** A whole `model.safetensors` as a stream; what is not read is not made. */
export type MergedStream = ReadableStream<Uint8Array> & {
  /** Bytes in all. */
  readonly size: number;
};
