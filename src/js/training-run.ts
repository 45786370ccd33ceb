// A training run as the caller sees it: a stream of events and a promise of the result.

import { Ia3Error } from "./errors.js";
import type { TrainEvent, TrainResult } from "./types.js";

/** What does the training: emits events, ends early when `signal` is aborted, and resolves to the result in any case. */
export type Work = (run: { signal: AbortSignal; emit(event: TrainEvent): void }) => Promise<TrainResult>;

/**
 * Training under way. Iterate over it for events, await it for the result, do both, or neither: it runs from the moment it is
 * made, and an error that nobody waits for is not reported as unhandled.
 *
 * Every iteration yields all events from the first. Leaving a loop early stops listening, not training.
 */
export class TrainingRun implements AsyncIterable<TrainEvent>, PromiseLike<TrainResult> {
  readonly #result: Promise<TrainResult>;
  readonly #stop = new AbortController();
  readonly #events: TrainEvent[] = [];
  #waiting: (() => void)[] = [];
  #ended = false;
  #abortedByCaller = false;

  /** @internal Runs are made by `model.train`. */
  constructor(work: Work, signal: AbortSignal | undefined) {
    this.#result = this.#run(work, signal);
    this.#result.catch(() => {});
  }

  /** Ends training after the step under way. The run then resolves with reason `aborted`; its vectors so far are kept. */
  stop(): void {
    this.#stop.abort();
  }

  /**
   * The events, and then the run's error, if it has one. An abort by the caller's own signal is none: the loop just ends, and only
   * the promise rejects, with `signal.reason`.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<TrainEvent, void, undefined> {
    for (let next = 0; ; ) {
      while (next < this.#events.length) yield this.#events[next++]!;
      if (this.#ended) break;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (!this.#abortedByCaller) await this.#result;
  }

  then<A = TrainResult, B = never>(
    onfulfilled?: ((result: TrainResult) => A | PromiseLike<A>) | null,
    onrejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#result.then(onfulfilled, onrejected);
  }

  catch<B = never>(onrejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<TrainResult | B> {
    return this.#result.catch(onrejected);
  }

  finally(onfinally?: (() => void) | null): Promise<TrainResult> {
    return this.#result.finally(onfinally);
  }

  async #run(work: Work, signal: AbortSignal | undefined): Promise<TrainResult> {
    const abort = () => this.#stop.abort();
    try {
      if (signal?.aborted) this.#rejectWith(signal);
      signal?.addEventListener("abort", abort);
      const result = await work({ signal: this.#stop.signal, emit: (event) => this.#emit(event) });
      if (result.reason === "aborted" && signal?.aborted) this.#rejectWith(signal);
      if (result.reason === "diverged") throw diverged(result);
      return result;
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

  #emit(event: TrainEvent): void {
    this.#events.push(event);
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

function diverged(result: TrainResult): Ia3Error {
  const text = `the loss or its gradient is no longer finite after step ${result.steps}; the vectors of step ${result.bestStep} are kept`;
  return new Ia3Error("diverged", `${text}. Lower learningRate and headLearningRate`, { result });
}
