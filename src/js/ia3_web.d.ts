// The boundary to the WebAssembly module: what src/web exports through wasm-bindgen, described by hand so that the
// TypeScript is checked before (and independently of) a WebAssembly build. Keep it in step with src/web.

import type {
  ActivationDtype,
  AdapterFiles,
  AdapterOptions,
  Choice,
  Classification,
  CombineOptions,
  Continuation,
  Device,
  DeviceInfo,
  Dtype,
  EndEvent,
  EvalEvent,
  Evaluation,
  GeneratedText,
  GeneratedToken,
  GenerateOptions,
  AnyExample,
  Answer,
  ChatExample,
  MemoryInfo,
  MergeFormat,
  MergeOptions,
  Objective,
  Pooling,
  Question,
  RankedExample,
  Ranking,
  Scored,
  StepEvent,
  Tagging,
  Task,
  TextInput,
  TrainableParameters,
  TrainOptions,
  TrainResult,
} from "./types.js";

/** Starts the module; later calls return the first instance. */
export default function init(input: { module_or_path: URL | string }): Promise<unknown>;

/** The files of a folder that a GGUF stands for, by name, from its first bytes; `undefined` where they are too few. `file` is its name in errors. */
export function ggufFiles(file: string, start: Uint8Array): Record<"config.json" | "tokenizer.json" | "tokenizer_config.json", Uint8Array> | undefined;

/** What a merge is going to write. */
export interface MergedFile {
  format: MergeFormat;
  totalBytes: number;
}

/** Sizes of a model from its configuration and the first bytes of each file of its weights, which list all tensors. */
export function estimate(
  configJson: string,
  starts: Uint8Array[],
  options: {
    batchSize: number;
    maxLength: number;
    task: Task;
    labels: string[];
    pooling: Pooling;
    activationCheckpointing: boolean;
    dtype: Dtype | undefined;
    activationDtype: ActivationDtype;
    device: "auto" | Device;
  },
): { weightBytes: number; memoryBytes: number };

/** Values of `model_type` that can be loaded. */
export function supportedModelTypes(): string[];

/** Which vectors apply: the product of `active`, or one adapter or none for each row. */
export type AdapterSelection = { active: string[] } | { rows: (string | null)[] };

/** Limits of one pass. */
export interface PassOptions {
  batchSize?: number;
  maxLength?: number;
}

/** A text, or a conversation as its chat template wrote it. */
export type Prompt = string | { rendered: string };

/** A conversation as its chat template wrote it, and which parts of it are learned. */
export interface RenderedExample {
  pieces: { text: string; learned: boolean }[];
}

/** An example without messages. */
export type SessionExample = Exclude<AnyExample, ChatExample | RankedExample> | RenderedExample | (Omit<RankedExample, "input"> & { input: Prompt });

/** A continuation without messages. */
export type SessionContinuation = Omit<Continuation, "prompt"> & { prompt: Prompt };

/** A ranking without messages. */
export type SessionRanking = Exclude<Ranking, { input: unknown }> | { input: Prompt; choices: readonly string[] };

/** The options of training with examples without messages. */
export type SessionTrainOptions = Omit<TrainOptions, "signal" | "validation"> & { validation?: SessionExample[] };

/** A base model with its adapters on a device. At most one call at a time: its methods borrow it exclusively. */
export class Session {
  constructor(
    configJson: Uint8Array,
    tokenizerJson: Uint8Array,
    options: { modelId: string | null; revision: string | null; task: Task; labels: string[]; pooling: Pooling; seed?: number; dtype?: Dtype | undefined; activationDtype?: ActivationDtype },
  );
  openDevice(device: "auto" | Device): Promise<Omit<DeviceInfo, "threads">>;
  beginWeights(): void;
  beginFile(file: string, contentLength: number | undefined, sha256Hex: string | undefined): void;
  feedWeights(chunk: Uint8Array): void;
  finishWeights(): Promise<void>;
  warmUp(batchSize: number, maxLength: number, progress: (done: number, total: number) => void): Promise<void>;
  /** `from` is the name of an adapter, or files. */
  addAdapter(name: string, options: Omit<AdapterOptions, "from">, from: string | AdapterFiles | undefined): void;
  deleteAdapter(name: string): void;
  /** Returns warnings. */
  loadAdapter(name: string, files: AdapterFiles): string[];
  saveAdapter(name: string): AdapterFiles;
  combineAdapters(name: string, sources: string[], options: CombineOptions): void;
  adapterNames(): string[];
  trainableParameters(name: string): TrainableParameters;
  classify(inputs: TextInput[], adapter: AdapterSelection, options: PassOptions): Promise<Classification[]>;
  tag(texts: string[][], adapter: AdapterSelection, options: PassOptions): Promise<Tagging[]>;
  choose(rows: SessionRanking[], adapter: AdapterSelection, options: PassOptions & { lengthNorm?: number }): Promise<Choice[]>;
  answer(questions: Question[], adapter: AdapterSelection, options: PassOptions): Promise<Answer[]>;
  score(rows: SessionContinuation[], adapter: AdapterSelection, options: PassOptions): Promise<Scored[]>;
  embed(
    inputs: TextInput[],
    adapter: AdapterSelection,
    options: PassOptions,
  ): Promise<{ embeddings: Float32Array; hidden: number; truncated: boolean[] }>;
  evaluate(examples: SessionExample[], adapter: AdapterSelection, options: PassOptions): Promise<Evaluation>;
  beginTraining(
    name: string,
    examples: SessionExample[],
    options: SessionTrainOptions,
  ): Promise<{ totalSteps: number; objective: Objective }>;
  trainStep(): Promise<(StepEvent | EvalEvent | EndEvent)[]>;
  endTraining(reason: "completed" | "aborted" | "failed"): Promise<TrainResult>;
  beginMerge(name: string, options: MergeOptions): MergedFile;
  nextMerged(): Promise<Uint8Array | undefined>;
  /** One generation at a time, whose state stays between the calls. */
  beginGeneration(prompts: Prompt[], adapter: AdapterSelection, options: Omit<GenerateOptions, "adapter" | "signal" | "stop"> & { stop: string[] }): void;
  nextTokens(): Promise<GeneratedToken[]>;
  endGeneration(): GeneratedText[];
  memory(): MemoryInfo;
  planText(batchSize: number, length: number, adapter: string | null): string;
  /** Milliseconds of each op of a training step, from `times` runs of it by itself. */
  profile(
    batchSize: number,
    length: number,
    times: number,
  ): Promise<{ op: string; inputs: number[][]; outputs: number[][]; ms: number }[]>;
  dispose(): void;
  free(): void;
}

/** One frozen linear layer on a device of its own, `(rows, inner) x (inner, outer)`; for the benchmark page. */
export class Matmul {
  private constructor();
  static open(device: Device, rows: number, inner: number, outer: number, flipped: boolean): Promise<Matmul>;
  /** Milliseconds of one product, from `times` of them in a row. */
  time(times: number): Promise<number>;
  free(): void;
}
