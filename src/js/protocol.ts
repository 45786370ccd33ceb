// What the page can ask an engine: one entry per verb, with its arguments, its events and its result.

import type { AdapterSelection, MergedFile, PassOptions } from "./ia3_web.js";
import type {
  ActivationDtype,
  AdapterFiles,
  AdapterOptions,
  ChatMessage,
  Choice,
  Classification,
  CombineOptions,
  Continuation,
  Device,
  DeviceInfo,
  Dtype,
  Evaluation,
  GeneratedText,
  GeneratedToken,
  GenerateOptions,
  MergeOptions,
  AnyExample,
  Answer,
  MemoryInfo,
  Pooling,
  ProgressEvent,
  Prompt,
  Question,
  Ranking,
  Scored,
  Tagging,
  Task,
  TextInput,
  TrainableParameters,
  TrainEvent,
  TrainOptions,
  TrainResult,
} from "./types.js";
import type { ErrorData } from "./errors.js";

/** The files of a base model. */
export const MODEL_FILES = ["config.json", "tokenizer.json", "model.safetensors"] as const;

/** What stands in the place of `model.safetensors` where the weights are cut into several files. */
export const INDEX = "model.safetensors.index.json";

/** The task that knows conversations, for which alone the files that say how a model chats are fetched. */
export const CHATS: Task = "text-generation";

/** One of the files of a base model. */
export type ModelFile = (typeof MODEL_FILES)[number];

/** A source after names are resolved. */
export interface ResolvedSource {
  /** Hub id, URL or `files`: what progress events call it. */
  name: string;
  /** Hub id and revision, where the source is one. */
  modelId: string | null;
  revision: string | null;
  /** The absolute URL of its folder, which ends with `/`, or its files by name. */
  folder: string | Readonly<Record<string, Blob>>;
  /** The GGUF that is the whole model, in place of the files of a folder: its name, and its absolute URL or its contents. */
  gguf: { file: string; place: string | Blob } | null;
}

/** What an engine needs to load a base model, and to load it again. */
export interface LoadArgs {
  source: ResolvedSource;
  task: Task;
  labels: string[];
  pooling: Pooling;
  device: "auto" | Device;
  /** On the processor. */
  threads: number;
  dtype: Dtype | undefined;
  activationDtype: ActivationDtype;
  cache: boolean;
  sha256: Readonly<Record<string, string>>;
  /** For `text-generation`: in place of the model's own. */
  chatTemplate: string | null;
  seed: number;
  warmUp: { batchSize: number; maxLength: number } | null;
}

/** What `estimate` needs. */
export interface EstimateArgs {
  source: ResolvedSource;
  batchSize: number;
  maxLength: number;
  task: Task;
  labels: string[];
  pooling: Pooling;
  activationCheckpointing: boolean;
  dtype: Dtype | undefined;
  activationDtype: ActivationDtype;
  device: "auto" | Device;
}

/** An adapter as the page mirrors it, so that a fresh engine can be given it again. */
export interface AdapterRecord {
  files: AdapterFiles;
  trainable: TrainableParameters;
}

/** The end of a training run. The adapter has changed even where it failed: `error` comes beside the result, not instead. */
export interface Trained {
  result: TrainResult;
  adapter: AdapterRecord;
  error: ErrorData | null;
}

interface Verb<Args, Result, Event = never> {
  args: Args;
  result: Result;
  event: Event;
}

interface Pass<Row, Options = PassOptions> {
  inputs: Row[];
  adapter: AdapterSelection;
  options: Options;
}

/** Every verb of an engine. */
export interface Protocol {
  load: Verb<LoadArgs, void, ProgressEvent>;
  estimate: Verb<EstimateArgs, { downloadBytes: number; memoryBytes: number }>;
  addAdapter: Verb<{ name: string; options: Omit<AdapterOptions, "from">; from?: string | AdapterFiles | undefined }, AdapterRecord>;
  loadAdapter: Verb<{ name: string; files: AdapterFiles }, { record: AdapterRecord; warnings: string[] }>;
  combineAdapters: Verb<{ name: string; sources: string[]; options: CombineOptions }, AdapterRecord>;
  deleteAdapter: Verb<{ name: string }, void>;
  train: Verb<{ name: string; examples: AnyExample[]; options: Omit<TrainOptions, "signal"> }, Trained, TrainEvent>;
  classify: Verb<Pass<TextInput>, Classification[]>;
  tag: Verb<Pass<string[]>, Tagging[]>;
  answer: Verb<Pass<Question>, Answer[]>;
  score: Verb<Pass<Continuation>, Scored[]>;
  choose: Verb<Pass<Ranking, PassOptions & { lengthNorm?: number }>, Choice[]>;
  generate: Verb<Pass<Prompt, Omit<GenerateOptions, "adapter" | "signal" | "stop"> & { stop: string[] }>, GeneratedText[], GeneratedToken>;
  embed: Verb<Pass<TextInput>, { vectors: Float32Array[]; truncated: boolean[] }>;
  evaluate: Verb<Pass<AnyExample>, Evaluation>;
  applyChatTemplate: Verb<{ messages: ChatMessage[]; addGenerationPrompt: boolean }, string>;
  beginMerge: Verb<{ name: string; options: MergeOptions; token: number }, MergedFile>;
  nextMerged: Verb<{ token: number }, Uint8Array | undefined>;
  plan: Verb<{ batchSize: number; length: number; adapter: string | null }, string>;
  dispose: Verb<null, void>;
}

/** What a handler of a verb gets beside its arguments. */
export interface Call<Event> {
  /** Aborted when the page gives the call up. */
  signal: AbortSignal;
  emit(event: Event): void;
}

/** One function per verb. */
export type Handlers = {
  [V in keyof Protocol]: (args: Protocol[V]["args"], call: Call<Protocol[V]["event"]>) => Promise<Protocol[V]["result"]>;
};

/** A result or event with the engine's state at that time, from which the page answers `memory()` and `deviceInfo` at once. */
export interface Stamped<T> {
  value: T;
  /** `null` before a model is loaded. */
  memory: MemoryInfo | null;
  /** Present when the device has changed since the last stamp. */
  device?: DeviceInfo;
}
