// Brings a base model's files into a session: when it is loaded, and again when its device was lost.

import { FileCache } from "./cache.js";
import { chatSource, noTemplate, LONGEST_CHAT_FILE, type ChatFiles, type ChatSource } from "./chat-source.js";
import { Downloads } from "./downloads.js";
import type { Ia3Error } from "./errors.js";
import { ggufStart, ofGguf, resumed } from "./gguf.js";
import type { Session } from "./ia3_web.js";
import { CHATS, MODEL_FILES, type Call, type LoadArgs } from "./protocol.js";
import type { Glue, Runtime } from "./runtime.js";
import type { DeviceInfo, ProgressEvent } from "./types.js";

/** A loaded base model. */
export interface Loaded {
  session: Session;
  device: DeviceInfo;
  /** How the model chats, or why it does not. */
  chat: ChatSource | Ia3Error;
}

/** The loader of one base model. */
export class Loader {
  readonly #args: LoadArgs;
  readonly #runtime: Runtime;

  constructor(args: LoadArgs, runtime: Runtime) {
    this.#args = args;
    this.#runtime = runtime;
  }

  /** A session with the weights on its device. */
  load(call: Call<ProgressEvent>): Promise<Loaded> {
    return this.#attempt(call, (downloads) => (this.#args.source.gguf ? this.#loadGguf(downloads) : this.#loadFolder(downloads)));
  }

  /** A fresh device with the weights on it, for a session that lost its own. */
  reload(session: Session, call: Call<ProgressEvent>): Promise<DeviceInfo> {
    return this.#attempt(call, async (downloads) => {
      const device = await this.#openDevice(session);
      await downloads.feed(session, await downloads.openWeights());
      return device;
    });
  }

  async #loadFolder(downloads: Downloads): Promise<Loaded> {
    const files = await downloads.openAll(MODEL_FILES);
    const chatFiles = { read: (file: string) => downloads.optional(file, LONGEST_CHAT_FILE), drop: (file: string) => downloads.drop(file) };
    const [glue, config, tokenizer, chat] = await Promise.all([
      this.#runtime.glue(),
      downloads.bytes(files["config.json"]),
      downloads.bytes(files["tokenizer.json"]),
      this.#chat(chatFiles),
    ]);
    return this.#session(glue, config, tokenizer, chat, (session) => downloads.feed(session, files["model.safetensors"]));
  }

  // Its start makes the session, and is then the first that the session is fed: nothing is fetched twice.
  async #loadGguf(downloads: Downloads): Promise<Loaded> {
    const [glue, weights] = await Promise.all([this.#runtime.glue(), downloads.openWeights()]);
    const chunks = downloads.chunks(weights);
    try {
      const start = await ggufStart(weights.file, chunks, glue);
      const { "config.json": config, "tokenizer.json": tokenizer } = start.files;
      const files: Readonly<Record<string, Uint8Array>> = start.files;
      const chat = await this.#chat({ read: async (file) => files[file], drop: () => downloads.drop(weights.file) });
      return await this.#session(glue, config, tokenizer, chat, (session) => downloads.feed(session, weights, resumed(start, chunks)));
    } catch (error) {
      throw ofGguf(weights.file, error);
    } finally {
      await chunks.return();
    }
  }

  async #session(
    glue: Glue,
    config: Uint8Array,
    tokenizer: Uint8Array,
    chat: ChatSource | Ia3Error,
    feed: (session: Session) => Promise<void>,
  ): Promise<Loaded> {
    const session = new glue.Session(config, tokenizer, this.#sessionOptions());
    try {
      const device = await this.#openDevice(session);
      await feed(session);
      return { session, device, chat };
    } catch (error) {
      release(session);
      throw error;
    }
  }

  async #openDevice(session: Session): Promise<DeviceInfo> {
    const { device, threads } = this.#args;
    const opened = await session.openDevice(device);
    const { share } = this.#runtime;
    if (opened.device !== "wasm" || threads === 1 || !share) return { ...opened, threads: 1 };
    await share(session, threads);
    return { ...opened, threads };
  }

  async #chat(files: ChatFiles): Promise<ChatSource | Ia3Error> {
    const { task, chatTemplate } = this.#args;
    if (task !== CHATS) return noTemplate(`the task is ${task}, and only ${CHATS} knows messages`);
    return chatSource(files, chatTemplate);
  }

  #sessionOptions() {
    const { source, task, labels, pooling, seed, dtype, activationDtype } = this.#args;
    return { modelId: source.modelId, revision: source.revision, task, labels, pooling, seed, dtype, activationDtype };
  }

  // A damaged cache entry must not lock the user out: it is deleted, and the file fetched past every cache.
  async #attempt<T>(call: Call<ProgressEvent>, attempt: (downloads: Downloads) => Promise<T>, again = false): Promise<T> {
    const cache = this.#args.cache ? await FileCache.open(this.#runtime.caches) : undefined;
    const downloads = new Downloads(this.#args, this.#runtime.fetch, cache, call, again);
    try {
      return await attempt(downloads);
    } catch (error) {
      await downloads.close();
      if (!(await downloads.dropDamaged(error)) || again) throw error;
    }
    return this.#attempt(call, attempt, true);
  }
}

/** Frees a session and what it has on the device. */
export function release(session: Session): void {
  try {
    session.dispose();
    session.free();
  } catch {
    // After a panic the session cannot even be freed; its memory goes with the engine.
  }
}
