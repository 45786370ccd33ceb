// The one protocol between a page and an engine: {id, verb, args} goes in; {id, event}s and one {id, result} or {id, error} come out.

import { errorData, fromErrorData, Ia3Error, type ErrorData } from "./errors.js";

/** A `Worker`, a worker's own global scope or a `MessagePort`. */
export interface Endpoint {
  postMessage(message: unknown, transfer: Transferable[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent<unknown>) => void): void;
}

type Request = { id: number; verb: string; args: unknown } | { id: number; cancel: true };

type Response = { id: number; event: unknown } | { id: number; result: unknown } | { id: number; error: ErrorData };

/** Runs one verb; events go to `call.emit`, and `call.signal` is aborted when the caller gives up. */
export type Dispatch = (
  verb: string,
  args: unknown,
  call: { signal: AbortSignal; emit(event: unknown): void },
) => Promise<unknown>;

/** Answers every request that arrives at `endpoint`. */
export function serve(endpoint: Endpoint, dispatch: Dispatch): void {
  const running = new Map<number, AbortController>();
  const answer = (message: Response) => endpoint.postMessage(message, transferables(message));

  async function run(id: number, verb: string, args: unknown): Promise<void> {
    const controller = new AbortController();
    running.set(id, controller);
    try {
      const call = { signal: controller.signal, emit: (event: unknown) => answer({ id, event }) };
      answer({ id, result: await dispatch(verb, args, call) });
    } catch (thrown) {
      answer({ id, error: errorData(thrown) });
    } finally {
      running.delete(id);
    }
  }

  endpoint.addEventListener("message", ({ data }) => {
    const request = data as Request;
    if ("cancel" in request) running.get(request.id)?.abort();
    else void run(request.id, request.verb, request.args);
  });
}

/** Options of one call. */
export interface CallOptions {
  /** Passed on to the engine, which decides how the call ends: the promise settles when it has answered. */
  signal?: AbortSignal | undefined;
  onEvent?: ((event: unknown) => void) | undefined;
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: unknown): void;
  onEvent: ((event: unknown) => void) | undefined;
}

/** The asking side: sends requests to an endpoint and gives each its answers. */
export class Remote {
  readonly #endpoint: Endpoint;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #failure: Ia3Error | undefined;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
    endpoint.addEventListener("message", ({ data }) => this.#receive(data as Response));
  }

  /** Arguments are cloned, not transferred: the caller keeps what it passed. */
  async call(verb: string, args: unknown, options: CallOptions = {}): Promise<unknown> {
    if (this.#failure) throw this.#failure;
    const id = ++this.#lastId;
    const cancel = () => this.#endpoint.postMessage({ id, cancel: true } satisfies Request, []);
    const answered = new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onEvent: options.onEvent });
    });
    try {
      this.#endpoint.postMessage({ id, verb, args } satisfies Request, []);
      if (options.signal?.aborted) cancel();
      options.signal?.addEventListener("abort", cancel);
      return await answered;
    } finally {
      options.signal?.removeEventListener("abort", cancel);
      this.#pending.delete(id);
    }
  }

  /** Ends every call under way, and every later one, with this error. */
  fail(error: Ia3Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#pending.values()) reject(error);
  }

  /** Makes one last call, which settles without an error; all others end with this one. */
  async last(verb: string, error: Ia3Error): Promise<void> {
    const others = [...this.#pending.values()];
    const answered = this.call(verb, null).catch(() => {});
    this.#failure ??= error;
    for (const { reject } of others) reject(error);
    await answered;
  }

  #receive(response: Response): void {
    const pending = this.#pending.get(response.id);
    if (!pending) return;
    if ("event" in response) pending.onEvent?.(response.event);
    else if ("error" in response) pending.reject(fromErrorData(response.error));
    else pending.resolve(response.result);
  }
}

/** The buffers in an answer: they are handed over, since the engine keeps nothing of what it answers. */
function transferables(value: unknown, found = new Set<ArrayBuffer>()): ArrayBuffer[] {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) found.add(value.buffer);
  } else if (typeof value === "object" && value !== null) {
    for (const part of Object.values(value)) transferables(part, found);
  }
  return [...found];
}
