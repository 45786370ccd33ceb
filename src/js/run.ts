// Work under way as the caller sees it: a stream of events and a promise of the result.

/** What does the work: emits events, ends early when `signal` is aborted, and resolves to the result in any case. */
export type Work<Event, Result> = (run: { signal: AbortSignal; emit(event: Event): void }) => Promise<Result>;

/**
 * Work under way. Iterate over it for events, await it for the result, do both, or neither: it runs from the moment it is made, and an error
 * that nobody waits for is not reported as unhandled. Every iteration yields all events from the first.
 */
export abstract class Run<Event, Result> implements AsyncIterable<Event>, PromiseLike<Result> {
  readonly #result: Promise<Result>;
  readonly #stop = new AbortController();
  readonly #events: Event[] = [];
  #waiting: (() => void)[] = [];
  #ended = false;
  #abortedByCaller = false;

  constructor(work: Work<Event, Result>, signal: AbortSignal | undefined) {
    this.#result = this.#run(work, signal);
    this.#result.catch(() => {});
  }

  /** Ends the work early. It still resolves, to what was done so far. */
  stop(): void {
    this.#stop.abort();
  }

  /**
   * The events, and then the run's error, if it has one. An abort by the caller's own signal is none: the loop just ends, and only
   * the promise rejects, with `signal.reason`.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Event, void, undefined> {
    let finished = false;
    try {
      for (let next = 0; ; ) {
        while (next < this.#events.length) yield this.#events[next++]!;
        if (this.#ended) break;
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      }
      finished = true;
    } finally {
      if (!finished) this.left();
    }
    if (!this.#abortedByCaller) await this.#result;
  }

  then<A = Result, B = never>(
    onfulfilled?: ((result: Result) => A | PromiseLike<A>) | null,
    onrejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#result.then(onfulfilled, onrejected);
  }

  catch<B = never>(onrejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<Result | B> {
    return this.#result.catch(onrejected);
  }

  finally(onfinally?: (() => void) | null): Promise<Result> {
    return this.#result.finally(onfinally);
  }

  /** Whether the work ended because it was told to. */
  protected abstract aborted(result: Result): boolean;

  /** The result, or an error where it is none. */
  protected checked(result: Result): Result {
    return result;
  }

  /** A loop over the events was left early. */
  protected left(): void {}

  async #run(work: Work<Event, Result>, signal: AbortSignal | undefined): Promise<Result> {
    const abort = () => this.#stop.abort();
    try {
      if (signal?.aborted) this.#rejectWith(signal);
      signal?.addEventListener("abort", abort);
      const result = await work({ signal: this.#stop.signal, emit: (event) => this.#emit(event) });
      if (this.aborted(result) && signal?.aborted) this.#rejectWith(signal);
      return this.checked(result);
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#ended = true;
      this.#wake();
    }
  }

  #rejectWith(signal: AbortSignal): void {
    this.#abortedByCaller = true;
    throw signal.reason;
  }

  #emit(event: Event): void {
    this.#events.push(event);
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
