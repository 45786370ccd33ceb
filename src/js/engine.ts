// The engine: what answers a page's calls, over one WebAssembly session. It runs in a worker or in the page's own thread.

import { Chat } from "./chat.js";
import { codeOf, Ia3Error, isTrap } from "./errors.js";
import { measure } from "./header.js";
import type { AdapterSelection, MergedFile, Session, SessionTrainOptions } from "./ia3_web.js";
import { Loader, release } from "./loader.js";
import type { AdapterRecord, Call, Handlers, LoadArgs, Protocol, Stamped, Trained } from "./protocol.js";
import type { Runtime } from "./runtime.js";
import { runTraining } from "./steps.js";
import { runGeneration } from "./tokens.js";
import { nextTask, Turns } from "./turn.js";
import type { DeviceInfo, GeneratedText, GeneratedToken, MemoryInfo, MergeOptions, ProgressEvent, TrainEvent } from "./types.js";

/** Rows between two looks at the abort signal. */
const ROWS_AT_ONCE = 128;

/** For work that has to be finished although its caller has given up, and reports nothing. */
const toTheEnd = (): Call<ProgressEvent> => ({ signal: new AbortController().signal, emit: () => {} });

interface Base {
  session: Session;
  loader: Loader;
  chat: Chat;
}

/** Serves one base model and its adapters. */
export class Engine {
  readonly #runtime: Runtime;
  readonly #turns = new Turns();
  #base: Base | undefined;
  #newDevice: DeviceInfo | undefined;
  #memory: MemoryInfo | null = null;
  #merge: number | undefined;

  readonly #verbs: Handlers = {
    load: (args, call) => this.#turns.take(() => this.#load(args, call)),
    estimate: (args, call) => measure(args, this.#runtime, call.signal),
    addAdapter: ({ name, options, from }) =>
      this.#use((session) => {
        session.addAdapter(name, options, from);
        return recordOf(session, name);
      }),
    loadAdapter: ({ name, files }) =>
      this.#use((session) => {
        const warnings = session.loadAdapter(name, files);
        return { record: recordOf(session, name), warnings };
      }),
    combineAdapters: ({ name, sources, options }) =>
      this.#use((session) => {
        session.combineAdapters(name, sources, options);
        return recordOf(session, name);
      }),
    deleteAdapter: ({ name }) => this.#use((session) => session.deleteAdapter(name)),
    train: (args, call) => this.#train(args, call),
    classify: (args, call) =>
      this.#byRows(args, call.signal, (session, rows, adapter) => session.classify(rows, adapter, args.options)),
    tag: (args, call) => this.#byRows(args, call.signal, (session, rows, adapter) => session.tag(rows, adapter, args.options)),
    answer: (args, call) => this.#byRows(args, call.signal, (session, rows, adapter) => session.answer(rows, adapter, args.options)),
    score: async (args, call) => {
      const inputs = await this.#current().chat.continuations(args.inputs);
      return this.#byRows({ ...args, inputs }, call.signal, (session, rows, adapter) => session.score(rows, adapter, args.options));
    },
    choose: async (args, call) => {
      const inputs = await this.#current().chat.rankings(args.inputs);
      return this.#byRows({ ...args, inputs }, call.signal, (session, rows, adapter) => session.choose(rows, adapter, args.options));
    },
    embed: (args, call) => this.#embed(args, call.signal),
    evaluate: async ({ inputs, adapter, options }) => {
      const examples = await this.#current().chat.examples(inputs);
      return this.#onDevice((session) => session.evaluate(examples, adapter, options));
    },
    generate: (args, call) => this.#generate(args, call),
    applyChatTemplate: async ({ messages, addGenerationPrompt }) => this.#current().chat.text(messages, addGenerationPrompt),
    beginMerge: ({ name, options, token }) => this.#use((session) => this.#beginMerge(session, name, options, token)),
    nextMerged: ({ token }) => this.#use((session) => this.#nextMerged(session, token)),
    plan: ({ batchSize, length, adapter }) => this.#use((session) => session.planText(batchSize, length, adapter)),
    dispose: () => this.#turns.take(() => this.#dispose()),
  };

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Runs a verb of the protocol; results and events carry the state at that time. */
  async dispatch(verb: string, args: unknown, call: Call<unknown>): Promise<Stamped<unknown>> {
    const handler = this.#verbs[verb as keyof Handlers] as ((args: unknown, call: Call<unknown>) => Promise<unknown>) | undefined;
    if (!handler) throw new Ia3Error("internal", `the engine has no verb "${verb}": worker.js and index.js are of different versions`);
    const emit = (event: unknown) => call.emit(this.#stamp(event));
    return this.#stamp(await handler(args, { signal: call.signal, emit }));
  }

  #stamp<T>(value: T): Stamped<T> {
    const device = this.#newDevice;
    this.#newDevice = undefined;
    return { value, memory: this.#memory, ...(device && { device }) };
  }

  async #load(args: LoadArgs, call: Call<ProgressEvent>): Promise<void> {
    if (this.#base) throw new Ia3Error("busy", "this worker serves a model already: give every model a worker of its own");
    const loader = new Loader(args, this.#runtime);
    const { session, device, chat } = await loader.load(call);
    this.#base = { session, loader, chat: new Chat(chat) };
    this.#newDevice = device;
    const { name } = args.source;
    if (args.warmUp && device.device === "webgpu") {
      const tell = (loaded: number, total: number) =>
        call.emit({ status: "warm-up", name, device: device.device, progress: (100 * loaded) / total, loaded, total });
      await session.warmUp(args.warmUp.batchSize, args.warmUp.maxLength, tell);
    }
    this.#memory = session.memory();
    call.emit({ status: "ready", task: args.task, model: name });
  }

  /** One turn on the session. Its memory is read here too: from outside a turn the session may be in use. */
  #use<T>(work: (session: Session) => Promise<T> | T): Promise<T> {
    return this.#turns.take(async () => {
      const { session } = this.#current();
      const result = await work(session);
      this.#memory = session.memory();
      return result;
    });
  }

  /** One turn on the session; if its device is lost, once more on a fresh one. */
  #onDevice<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#use(async (session) => {
      try {
        return await work(session);
      } catch (error) {
        if (codeOf(error) !== "device-lost") throw error;
        await this.#reopen(toTheEnd());
        return work(session);
      }
    });
  }

  async #reopen(call: Call<ProgressEvent>): Promise<void> {
    const { session, loader } = this.#current();
    this.#newDevice = await loader.reload(session, call);
  }

  #current(): Base {
    if (!this.#base) throw new Ia3Error("disposed", "the model was disposed: load it again");
    return this.#base;
  }

  async #train({ name, examples, options }: Protocol["train"]["args"], call: Call<TrainEvent>): Promise<Trained> {
    const end = (reason: "completed" | "aborted" | "failed") => this.#onDevice((session) => session.endTraining(reason));
    const ended = await runTraining(
      {
        begin: async () => {
          const { chat } = this.#current();
          const { validation, ...given } = options;
          const rendered = await chat.examples(examples);
          const told: SessionTrainOptions = { ...given, ...(validation && { validation: await chat.examples(validation) }) };
          return this.#onDevice((session) => begin(session, name, rendered, told));
        },
        step: () => this.#use((session) => session.trainStep()),
        recover: () => this.#use(() => this.#reopen({ signal: call.signal, emit: () => {} })),
        end,
        emit: call.emit,
      },
      call.signal,
    );
    return { ...ended, adapter: await this.#use((session) => recordOf(session, name)) };
  }

  #generate({ inputs, adapter, options }: Protocol["generate"]["args"], call: Call<GeneratedToken>): Promise<GeneratedText[]> {
    return runGeneration(
      {
        begin: async () => {
          const prompts = await this.#current().chat.prompts(inputs);
          await this.#use((session) => session.beginGeneration(prompts, adapter, options));
        },
        next: () => this.#onDevice((session) => session.nextTokens()),
        end: () => this.#use((session) => session.endGeneration()),
        emit: call.emit,
      },
      call.signal,
    );
  }

  /** Some rows at a time, so that a long list can be given up and other calls come in between. */
  async #byRows<Row, T>(
    { inputs, adapter }: { inputs: Row[]; adapter: AdapterSelection },
    signal: AbortSignal,
    pass: (session: Session, rows: Row[], adapter: AdapterSelection) => Promise<T[]>,
  ): Promise<T[]> {
    const results: T[] = [];
    for (let start = 0; start < inputs.length; start += ROWS_AT_ONCE) {
      if (start > 0) await nextTask();
      if (signal.aborted) throw new Ia3Error("aborted", "the caller gave up");
      const end = start + ROWS_AT_ONCE;
      const selected = "rows" in adapter ? { rows: adapter.rows.slice(start, end) } : adapter;
      results.push(...(await this.#onDevice((session) => pass(session, inputs.slice(start, end), selected))));
    }
    return results;
  }

  async #embed(args: Protocol["embed"]["args"], signal: AbortSignal): Promise<Protocol["embed"]["result"]> {
    const rows = await this.#byRows(args, signal, async (session, inputs, adapter) => {
      const { embeddings, hidden, truncated } = await session.embed(inputs, adapter, args.options);
      const vector = (row: number) => embeddings.slice(row * hidden, (row + 1) * hidden);
      return truncated.map((cut, row) => ({ vector: vector(row), cut }));
    });
    return { vectors: rows.map((row) => row.vector), truncated: rows.map((row) => row.cut) };
  }

  #beginMerge(session: Session, name: string, options: MergeOptions, token: number): MergedFile {
    this.#merge = undefined;
    const begun = session.beginMerge(name, options);
    this.#merge = token;
    return begun;
  }

  // A session merges one adapter at a time, and a stream may be dropped without a word: the latest merge wins.
  async #nextMerged(session: Session, token: number): Promise<Uint8Array | undefined> {
    if (this.#merge === token) return session.nextMerged();
    throw new Ia3Error("aborted", "this merge was given up, for a later one or by a restart of the engine: call mergeAdapter again");
  }

  #dispose(): void {
    if (this.#base) release(this.#base.session);
    this.#base = undefined;
    this.#memory = null;
  }
}

async function begin(session: Session, ...args: Parameters<Session["beginTraining"]>): Promise<void> {
  try {
    await session.beginTraining(...args);
  } catch (error) {
    // The run may have been begun before its first evaluation failed; a busy session is at another run, which goes on.
    if (!isTrap(error) && codeOf(error) !== "busy") await session.endTraining("failed").catch(() => {});
    throw error;
  }
}

function recordOf(session: Session, name: string): AdapterRecord {
  return { files: session.saveAdapter(name), trainable: session.trainableParameters(name) };
}
