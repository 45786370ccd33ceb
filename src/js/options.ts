// The options of every call, with their types: the run-time half of types.ts.

import {
  callback,
  count,
  counts,
  either,
  files,
  flag,
  list,
  modules,
  number,
  numberMap,
  numbers,
  object,
  oneOf,
  positive,
  signal,
  stringMap,
  strings,
  text,
  variant,
  type Check,
} from "./check.js";
import type {
  AdapterOptions,
  ChatTemplateOptions,
  ChooseOptions,
  CombineOptions,
  EngineOptions,
  EstimateOptions,
  GenerateOptions,
  LoadAdapterOptions,
  LoadOptions,
  MergeOptions,
  PlanOptions,
  RunOptions,
  SaveOptions,
  ModelSourceOptions,
  SourceOptions,
  TrainOptions,
} from "./types.js";

type Checks<T> = Record<keyof T & string, Check>;

const worker: Check = (value) =>
  typeof value === "boolean" || typeof value === "function" || (typeof Worker !== "undefined" && value instanceof Worker)
    ? undefined
    : "true, false, a Worker or a function that makes one";

const source = { baseUrl: text, revision: text, signal } satisfies Checks<SourceOptions>;

const modelSource = { ...source, ggufFile: text } satisfies Checks<ModelSourceOptions>;

const head = { task: oneOf("text-classification", "token-classification", "question-answering", "text-generation", "text2text-generation", "feature-extraction"), labels: strings, pooling: oneOf("mean", "pooler") };

const dtype = oneOf("f32", "f16", "q8", "q4");
const activationDtype = oneOf("f32", "f16");

const engine = { worker } satisfies Checks<EngineOptions>;

/** Of `Model.fromPretrained`. */
export const LOAD = {
  ...modelSource,
  ...engine,
  ...head,
  device: oneOf("auto", "webgpu", "wasm"),
  threads: positive,
  dtype,
  activationDtype,
  cache: flag,
  modelId: text,
  sha256: stringMap,
  chatTemplate: text,
  seed: count,
  warmUp: either(oneOf(false), object({ batchSize: positive, maxLength: positive })),
  onProgress: callback,
} satisfies Checks<LoadOptions>;

/** Of `Model.estimate`. */
export const ESTIMATE = {
  ...modelSource,
  ...engine,
  ...head,
  dtype,
  activationDtype,
  batchSize: positive,
  maxLength: positive,
  activationCheckpointing: flag,
  device: oneOf("auto", "webgpu", "wasm"),
} satisfies Checks<EstimateOptions>;

/** Of `model.applyChatTemplate`. */
export const CHAT = { addGenerationPrompt: flag } satisfies Checks<ChatTemplateOptions>;

/** Of `model.addAdapter`. */
export const ADAPTER = {
  targetModules: modules,
  feedforwardModules: modules,
  excludeModules: modules,
  layers: counts,
  modulesToSave: strings,
  initIa3Weights: flag,
  init: either(oneOf("ones"), variant({ normal: number, uniform: number })),
  seed: count,
  shift: flag,
  perHead: flag,
  from: either(text, files),
} satisfies Checks<AdapterOptions>;

/** Of `model.saveAdapter`. */
export const SAVE = { format: oneOf("ia3-web", "peft") } satisfies Checks<SaveOptions>;

/** Of `model.mergeAdapter`. */
export const MERGE = { format: oneOf("safetensors", "gguf"), requantise: flag } satisfies Checks<MergeOptions>;

/** Of `model.loadAdapter`. */
export const LOAD_ADAPTER = source satisfies Checks<LoadAdapterOptions>;

/** Of `model.combineAdapters`. */
export const COMBINE = { weights: numbers, missing: oneOf("one", "zero") } satisfies Checks<CombineOptions>;

/** Of `classify`, `tag`, `answer`, `score`, `embed` and `evaluate`; `adapter` depends on the inputs and is checked with them. */
export const RUN = { adapter: () => undefined, batchSize: positive, maxLength: positive, signal } satisfies Checks<RunOptions>;

/** Of `choose`. */
export const CHOOSE = { ...RUN, lengthNorm: number } satisfies Checks<ChooseOptions>;

/** Of `model.train`; `validation` is checked like the examples. */
export const TRAIN = {
  preset: oneOf("tFew"),
  steps: positive,
  epochs: number,
  batchSize: positive,
  learningRate: number,
  headLearningRate: number,
  layerLearningRates: either(numbers, numberMap),
  objective: oneOf("cross-entropy", "contrastive", "t-few"),
  contrastiveLoss: oneOf("cosine", "supervised"),
  temperature: number,
  lossWeights: object({ languageModel: number, unlikelihood: number, lengthNormalized: number }),
  lossVariant: oneOf("paper", "code"),
  optimizer: oneOf("adamw", "adafactor"),
  weightDecay: number,
  warmupRatio: number,
  schedule: oneOf("linear", "cosine", "constant"),
  gradientAccumulation: positive,
  activationCheckpointing: flag,
  maxGradNorm: number,
  maxLength: positive,
  packing: flag,
  seed: count,
  validation: list,
  patience: positive,
  evalEvery: positive,
  signal,
} satisfies Checks<TrainOptions>;

/** Of `model.generate`; `adapter` depends on the prompts and is checked with them. */
export const GENERATE = {
  maxNewTokens: positive,
  temperature: number,
  topK: positive,
  topP: number,
  minP: number,
  repetitionPenalty: number,
  seed: count,
  stop: either(text, strings),
  adapter: () => undefined,
  signal,
} satisfies Checks<GenerateOptions>;

/** Of `model.plan`. */
export const PLAN = { batchSize: positive, maxLength: positive, adapter: text } satisfies Checks<PlanOptions>;
