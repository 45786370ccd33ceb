/// <reference lib="esnext.disposable" preserve="true" />
// The public face: a base model, its adapters, and everything that can be asked of them.

import { abortable } from "./abort.js";
import { activeNames, selection } from "./adapter-choice.js";
import { peftFiles } from "./adapter-folder.js";
import { adapterFiles } from "./adapter-source.js";
import { bad, checked } from "./check.js";
import { fromErrorData, Ia3Error } from "./errors.js";
import { estimate } from "./estimate.js";
import { exampleList } from "./examples.js";
import { Generation } from "./generation.js";
import { Host } from "./host.js";
import { continuationList, promptList, questionList, rankingList, textInputs, wordLists } from "./inputs.js";
import { loadArgs } from "./load-args.js";
import { mergedStream } from "./merged.js";
import { conversation } from "./messages.js";
import { Mirror } from "./mirror.js";
import { ADAPTER, CHAT, CHOOSE, COMBINE, GENERATE, LOAD, LOAD_ADAPTER, MERGE, PLAN, RUN, SAVE, TRAIN } from "./options.js";
import { CHATS, type AdapterRecord, type LoadArgs, type Protocol } from "./protocol.js";
import { starter } from "./spawn.js";
import type { Work } from "./run.js";
import { TrainingRun } from "./training-run.js";
import type {
  ActiveAdapter,
  AnyExample,
  Answer,
  AdapterFiles,
  AdapterOptions,
  AdapterSource,
  ChatMessage,
  ChatTemplateOptions,
  Choice,
  ChooseOptions,
  Classification,
  CombineOptions,
  Continuation,
  Device,
  DeviceInfo,
  Embeddings,
  Estimate,
  EstimateOptions,
  Evaluation,
  GeneratedText,
  GeneratedToken,
  GenerateOptions,
  Inputs,
  LoadAdapterOptions,
  LoadedAdapter,
  LoadOptions,
  MemoryInfo,
  MergedStream,
  MergeOptions,
  ModelSource,
  PlanOptions,
  Pooling,
  Prompt,
  Question,
  Ranking,
  RunOptions,
  SaveOptions,
  Scored,
  Tagging,
  Task,
  TrainableParameters,
  TrainEvent,
  TrainOptions,
  TrainResult,
} from "./types.js";

/**
 * A base model with its adapters. Every method that returns a promise rejects with an `Ia3Error`, or with `signal.reason` where its
 * signal was aborted. After a crash of the engine (code `panic`) the next call starts a fresh one and restores all adapters.
 */
export class Model {
  /** What the model was loaded for. */
  readonly task: Task;
  /** The class names, in the order of the head's rows. */
  readonly labels: readonly string[];
  readonly pooling: Pooling;
  readonly #host: Host;
  readonly #mirror = new Mirror();
  #active: string[] = [];
  #merges = 0;
  #loadSignal: AbortSignal | undefined;

  private constructor(args: LoadArgs, { worker, signal, onProgress }: LoadOptions) {
    this.task = args.task;
    this.labels = Object.freeze([...args.labels]);
    this.pooling = args.pooling;
    this.#loadSignal = signal;
    this.#host = new Host(starter(worker, args.threads), async (ask) => {
      await ask("load", args, { signal: this.#loadSignal, onEvent: onProgress });
      await this.#mirror.restore(ask);
    });
  }

  /**
   * Loads a base model: fetches its files (or finds them in the cache) and puts the weights on a device.
   *
   * @param source a Hub id, the URL of a folder or of a GGUF, or files
   */
  static async fromPretrained(source: ModelSource, options?: LoadOptions): Promise<Model> {
    const given = checked("fromPretrained", options, LOAD);
    given.signal?.throwIfAborted();
    const model = new Model(loadArgs(source, given), given);
    try {
      await abortable(model.#host.open(), given.signal);
      return model;
    } catch (error) {
      model.dispose();
      throw error;
    } finally {
      // Aborted later, the signal of this load must not stop an engine that is restarted.
      model.#loadSignal = undefined;
    }
  }

  /** What a model will fetch and hold, found out from its configuration and the header of its weights, or the start of its GGUF. */
  static estimate(source: ModelSource, options?: EstimateOptions): Promise<Estimate> {
    return estimate(source, options);
  }

  /** Names of the adapters, in the order in which they came. */
  get adapters(): readonly string[] {
    return this.#mirror.names;
  }

  /** What `classify`, `embed` and `evaluate` use unless told otherwise: one adapter, several, or `null` for the base. */
  get activeAdapter(): string | readonly string[] | null {
    return this.#active.length > 1 ? [...this.#active] : (this.#active[0] ?? null);
  }

  /** Makes an adapter active, or the base (`null`), or several whose vectors multiply; those with shifts apply in the order given. */
  setAdapter(adapter: ActiveAdapter): void {
    const names = activeNames(adapter);
    this.#mirror.require(names);
    this.#active = names;
  }

  /** Adds an adapter that changes nothing until it is trained. The first adapter of a model becomes the active one, as in PEFT. */
  async addAdapter(name: string, options?: AdapterOptions): Promise<void> {
    checkName("addAdapter", name);
    const { from, ...given } = checked("addAdapter", options, ADAPTER);
    if (typeof from === "string") this.#mirror.require([from]);
    const start = from === undefined || typeof from === "string" ? from : await adapterFiles(from, { fetch: (url, init) => fetch(url, init) });
    const record = await this.#host.ask("addAdapter", { name, options: given, from: start });
    // An engine that is restarted has no use for the name of what this started from: that may have gone.
    this.#keep(name, record, from === undefined ? given : undefined);
  }

  /** Loads a saved adapter, from this package or from PEFT. The first adapter of a model becomes the active one. */
  async loadAdapter(name: string, source: AdapterSource, options?: LoadAdapterOptions): Promise<LoadedAdapter> {
    checkName("loadAdapter", name);
    const given = checked("loadAdapter", options, LOAD_ADAPTER);
    given.signal?.throwIfAborted();
    const files = await adapterFiles(source, { ...given, fetch: (url, init) => fetch(url, init) });
    const { record, warnings } = await abortable(this.#host.ask("loadAdapter", { name, files }), given.signal);
    this.#keep(name, record);
    return { warnings };
  }

  /**
   * The files of an adapter, as PEFT lays them out; `zipAdapter` makes one file of them. While it is trained, they are those from
   * before the run.
   */
  async saveAdapter(name: string, options?: SaveOptions): Promise<AdapterFiles> {
    const { format = "ia3-web" } = checked("saveAdapter", options, SAVE);
    const files = this.#mirror.files(name);
    return format === "peft" ? peftFiles(name, files) : files;
  }

  /** Removes an adapter. If it was active, the others that were remain so; without any, the base does. */
  async deleteAdapter(name: string): Promise<void> {
    await this.#host.ask("deleteAdapter", { name });
    this.#mirror.delete(name);
    this.#active = this.#active.filter((active) => active !== name);
  }

  /** Makes a new adapter of the weighted sum of others' vectors, and of their shifts. */
  async combineAdapters(name: string, sources: readonly string[], options?: CombineOptions): Promise<void> {
    checkName("combineAdapters", name);
    if (!Array.isArray(sources)) throw bad("combineAdapters", "the sources must be a list of adapter names", {});
    const given = checked("combineAdapters", options, COMBINE);
    this.#keep(name, await this.#host.ask("combineAdapters", { name, sources: [...sources], options: given }));
  }

  /**
   * The base model's weights with an adapter folded in, as the bytes of a GGUF or of a `model.safetensors`. The model itself is not changed.
   * A shift becomes part of the biases; where a layer has none (LLaMA), an adapter that shifts it is refused with code `bad-adapter`.
   * One merge at a time: a later call ends the stream of an earlier one.
   */
  async mergeAdapter(name: string, options?: MergeOptions): Promise<MergedStream> {
    const given = checked("mergeAdapter", options, MERGE);
    this.#mirror.require([name]);
    return mergedStream(this.#host.ask, name, given, ++this.#merges);
  }

  /** Trains an adapter on examples of the model's task; starts at once. One run at a time. */
  train(name: string, examples: readonly AnyExample[], options?: TrainOptions): TrainingRun {
    const signal = options?.signal instanceof AbortSignal ? options.signal : undefined;
    return new TrainingRun((run) => this.#train(name, examples, options, run), signal);
  }

  /**
   * Text that follows a prompt or a conversation, token by token, for `text-generation`, or what a text becomes, for `text2text-generation`; of a
   * list of prompts in one batch, each with an adapter of its own if asked for. One generation at a time. Keys and values of what was read stay
   * on the device for the next call: of a prompt that begins as the last one did, with its answer or without, only what is new is read. An
   * encoder's prompt is read whole, unless all are the last call's.
   */
  generate(prompt: Prompt, options?: GenerateOptions): Generation;
  generate(prompts: readonly Prompt[], options?: GenerateOptions): Generation<GeneratedText[]>;
  generate(prompts: Prompt | readonly Prompt[], options?: GenerateOptions): Generation<GeneratedText | GeneratedText[]> {
    const signal = options?.signal instanceof AbortSignal ? options.signal : undefined;
    return new Generation<GeneratedText | GeneratedText[]>((run) => this.#generate(prompts, options, run), signal);
  }

  /** The label of each text, with the probabilities of all. */
  async classify(inputs: Inputs, options?: RunOptions): Promise<Classification[]> {
    const rows = textInputs("classify", inputs);
    return this.#pass("classify", rows, options);
  }

  /** A label for each word of each text, for `token-classification`. */
  async tag(texts: readonly (readonly string[])[], options?: RunOptions): Promise<Tagging[]> {
    return this.#pass("tag", wordLists("tag", texts), options);
  }

  /** The part of each context that answers its question, for `question-answering`. */
  async answer(questions: Question | readonly Question[], options?: RunOptions): Promise<Answer[]> {
    return this.#pass("answer", questionList("answer", questions), options);
  }

  /** The most probable choice for each input by its length-normalised score, for `text-generation` and `text2text-generation`. */
  async choose(rows: Ranking | readonly Ranking[], options?: ChooseOptions): Promise<Choice[]> {
    return this.#pass("choose", rankingList("choose", this.task, rows), options);
  }

  /** How probable each continuation is, token by token, for `text-generation` and `text2text-generation`. */
  async score(rows: Continuation | readonly Continuation[], options?: RunOptions): Promise<Scored[]> {
    return this.#pass("score", continuationList("score", this.task, rows), options);
  }

  /**
   * A conversation as the model's chat template writes it, special tokens included, for `text-generation`: what transformers'
   * `apply_chat_template` makes of it. `train`, `evaluate`, `score` and `choose` take the messages themselves.
   */
  async applyChatTemplate(messages: readonly ChatMessage[], options?: ChatTemplateOptions): Promise<string> {
    const { addGenerationPrompt = false } = checked("applyChatTemplate", options, CHAT);
    if (this.task !== CHATS) throw bad("applyChatTemplate", `the model was loaded for ${this.task}: load it with the task ${CHATS}`, {});
    return this.#host.ask("applyChatTemplate", { messages: conversation("applyChatTemplate", "messages", messages, {}), addGenerationPrompt });
  }

  /** One vector for each text: with `pooling: "mean"` of length 1. */
  async embed(inputs: Inputs, options?: RunOptions): Promise<Embeddings> {
    const { vectors, truncated } = await this.#pass("embed", textInputs("embed", inputs), options);
    return Object.assign(vectors, { truncated });
  }

  /** How well an adapter does on examples of the model's task. */
  async evaluate(examples: readonly AnyExample[], options?: RunOptions): Promise<Evaluation> {
    return this.#pass("evaluate", exampleList("evaluate", this.task, examples), options);
  }

  /** How much of the model an adapter trains. */
  trainableParameters(name: string): TrainableParameters {
    return this.#mirror.trainable(name);
  }

  /** Bytes in use, as of the last completed call or training step. */
  memory(): MemoryInfo {
    return this.#host.memory ?? { weightBytes: 0, activationBytes: 0, adapterBytes: 0, wasmBytes: 0, gpuBytes: 0, programs: 0 };
  }

  /** The device in use. It can change when a lost one is replaced. */
  get device(): Device {
    return this.deviceInfo.device;
  }

  /** The device in use and why it was chosen. */
  get deviceInfo(): DeviceInfo {
    const { device } = this.#host;
    if (!device) throw new Ia3Error("internal", "a model that is loaded has a device");
    return device;
  }

  /** The plan of one training step as text: every dispatch with its shapes, and the memory it needs. */
  async plan(options?: PlanOptions): Promise<string> {
    const { batchSize = 8, maxLength = 64, adapter = this.#active[0] ?? null } = checked("plan", options, PLAN);
    return this.#host.ask("plan", { batchSize, length: maxLength, adapter });
  }

  /** Frees the model; calls under way and later ones reject with code `disposed`. Doing it again does nothing. */
  dispose(): void {
    this.#host.dispose();
  }

  static {
    const dispose = { value: this.prototype.dispose, configurable: true, writable: true };
    for (const symbol of [Symbol.dispose, Symbol.asyncDispose] as (symbol | undefined)[]) {
      if (symbol) Object.defineProperty(this.prototype, symbol, dispose);
    }
  }

  #keep(name: string, record: AdapterRecord, fresh?: AdapterOptions): void {
    this.#mirror.set(name, record, fresh);
    if (this.adapters.length === 1) this.#active = [name];
  }

  async #train(
    name: string,
    examples: readonly AnyExample[],
    options: TrainOptions | undefined,
    { signal, emit }: Parameters<Work<TrainEvent, TrainResult>>[0],
  ): Promise<TrainResult> {
    const { signal: _followed, validation, ...given } = checked("train", options, TRAIN);
    const args = {
      name,
      examples: exampleList("train", this.task, examples),
      options: { ...given, ...(validation && { validation: exampleList("train: validation", this.task, validation) }) },
    };
    const { result, adapter, error } = await this.#host.ask("train", args, { signal, onEvent: emit });
    this.#mirror.set(name, adapter);
    if (!error) return result;
    throw fromErrorData({ ...error, details: { ...error.details, result } });
  }

  async #generate(
    prompts: Prompt | readonly Prompt[],
    options: GenerateOptions | undefined,
    { signal, emit }: Parameters<Work<GeneratedToken, GeneratedText | GeneratedText[]>>[0],
  ): Promise<GeneratedText | GeneratedText[]> {
    const { signal: _followed, adapter, stop = [], ...given } = checked("generate", options, GENERATE);
    const { inputs, single } = promptList("generate", this.task, prompts);
    const stops = typeof stop === "string" ? [stop] : [...stop];
    const args = { inputs, adapter: selection("generate", adapter, this.#active, inputs.length), options: { ...given, stop: stops } };
    const found = await this.#host.ask("generate", args, { signal, onEvent: emit });
    return single ? found[0]! : found;
  }

  async #pass<V extends "classify" | "tag" | "answer" | "score" | "choose" | "embed" | "evaluate">(
    verb: V,
    inputs: Protocol[V]["args"]["inputs"],
    options: ChooseOptions | undefined,
  ): Promise<Protocol[V]["result"]> {
    const { adapter, signal, ...limits } = verb === "choose" ? checked(verb, options, CHOOSE) : checked<RunOptions>(verb, options, RUN);
    signal?.throwIfAborted();
    const args = { inputs, adapter: selection(verb, adapter, this.#active, inputs.length), options: limits };
    return abortable(this.#host.ask(verb, args as Protocol[V]["args"], { signal }), signal);
  }
}

/** `using model = await Model.fromPretrained(...)` disposes of it at the end of the block, where the browser knows `using`. */
export interface Model extends Disposable, AsyncDisposable {}

function checkName(where: string, name: unknown): void {
  if (typeof name !== "string" || name === "") throw bad(where, "the adapter's name must be a string that is not empty", {});
}
