// Keeps one engine alive for a model: starts it when it is first needed, and starts another after a crash.

import { codeOf, Ia3Error } from "./errors.js";
import type { Protocol, Stamped } from "./protocol.js";
import { Remote } from "./rpc.js";
import type { EngineHandle, Starter } from "./spawn.js";
import type { DeviceInfo, MemoryInfo } from "./types.js";

/** One call of the protocol. */
export interface HostCall<Event> {
  signal?: AbortSignal | undefined;
  onEvent?: ((event: Event) => void) | undefined;
}

/** Makes one call to an engine. */
export type Ask = <V extends keyof Protocol>(
  verb: V,
  args: Protocol[V]["args"],
  options?: HostCall<Protocol[V]["event"]>,
) => Promise<Protocol[V]["result"]>;

interface Running {
  handle: EngineHandle;
  remote: Remote;
  ready: Promise<void>;
}

/** The engine of one model. */
export class Host {
  readonly #starter: Starter;
  readonly #prepare: (ask: Ask) => Promise<void>;
  #running: Running | undefined;
  #ended: Ia3Error | undefined;
  /** As of the last answer. */
  memory: MemoryInfo | null = null;
  /** As of the last answer. */
  device: DeviceInfo | null = null;

  /** `prepare` brings a fresh engine to where its predecessor was: the base model and the adapters. */
  constructor(starter: Starter, prepare: (ask: Ask) => Promise<void>) {
    this.#starter = starter;
    this.#prepare = prepare;
  }

  /** Starts and prepares an engine now, not with the first call. */
  async open(): Promise<void> {
    await this.#engine().ready;
  }

  /** Makes one call; an engine that crashed before is replaced first. */
  readonly ask: Ask = async (verb, args, options) => {
    const running = this.#engine();
    await running.ready;
    return this.#askOf(running, verb, args, options);
  };

  /** Ends the engine and every call. Later calls reject with code `disposed`. */
  dispose(): void {
    const running = this.#running;
    const error = new Ia3Error("disposed", "the model was disposed: load it again");
    this.#ended = error;
    this.#running = undefined;
    if (running) void farewell(running, error);
  }

  #engine(): Running {
    if (this.#ended) throw this.#ended;
    return (this.#running ??= this.#start());
  }

  #start(): Running {
    const handle = this.#starter.start();
    const remote = new Remote(handle.endpoint);
    const running: Running = { handle, remote, ready: Promise.resolve() };
    handle.onCrash((error) => this.#crashed(running, error));
    running.ready = this.#prepare((verb, args, options) => this.#askOf(running, verb, args, options)).catch((error: unknown) => {
      this.#drop(running, false);
      throw error;
    });
    running.ready.catch(() => {});
    return running;
  }

  async #askOf<V extends keyof Protocol>(
    running: Running,
    verb: V,
    args: Protocol[V]["args"],
    { signal, onEvent }: HostCall<Protocol[V]["event"]> = {},
  ): Promise<Protocol[V]["result"]> {
    // An event may be what carries the news of the device, so it is unpacked even where nobody listens.
    const received = (event: unknown) => {
      const value = this.#unstamp<Protocol[V]["event"]>(event);
      onEvent?.(value);
    };
    try {
      return this.#unstamp(await running.remote.call(verb, args, { signal, onEvent: received }));
    } catch (error) {
      if (codeOf(error) === "panic") this.#crashed(running, error as Ia3Error);
      throw error;
    }
  }

  #unstamp<T>(stamped: unknown): T {
    const { value, memory, device } = stamped as Stamped<T>;
    this.memory = memory;
    this.device = device ?? this.device;
    return value;
  }

  #crashed(running: Running, error: Ia3Error): void {
    running.remote.fail(error);
    this.#drop(running, true);
    if (!this.#starter.replaceable) this.#ended ??= irreplaceable(error);
  }

  #drop(running: Running, crashed: boolean): void {
    if (this.#running !== running) return;
    this.#running = undefined;
    running.handle.close(crashed);
  }
}

async function farewell({ handle, remote }: Running, error: Ia3Error): Promise<void> {
  if (handle.outlives) await remote.last("dispose", error);
  else remote.fail(error);
  handle.close(false);
}

function irreplaceable({ message }: Ia3Error): Ia3Error {
  return new Ia3Error("panic", `the worker that was passed has stopped and cannot be replaced (${message}): load the model again`);
}
