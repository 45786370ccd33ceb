/** The one way in which everything is timed here, the peers included: warm-ups, a number of runs, a budget of time. */

import { type Calls, Tally } from "./calls.js";

/** Runs at most that are not counted: pipelines are compiled and caches filled meanwhile. Slow ones are warmed up once. */
const WARM_UPS = 3;
/** Share of the budget after which no further warm-up begins. */
const WARM_UP_SHARE = 0.1;
/** Runs that are timed even when the budget is spent. */
const LEAST_RUNS = 2;

/** When to stop. */
export interface Limits {
  /** Timed runs at most. */
  runs: number;
  /** Milliseconds after which no further run begins. */
  budgetMs: number;
}

/** What several runs of the same work have shown; calls are those of one run. */
export interface Figures extends Calls {
  medianMs: number;
  minMs: number;
  runs: number;
  /** The most bytes of GPU buffers that lived at once; 0 where the work runs in WebAssembly. */
  heldBytes: number;
}

/** Takes in run after run until it has seen enough. */
export class Stopwatch {
  readonly #limits: Limits;
  readonly #repeat: number;
  readonly #times: number[] = [];
  #began = performance.now();
  #warmUps = 0;
  #tally: Tally | undefined;
  #calls = new Tally().perRun(1);

  /** `repeat`: how often one run does the work whose figures are wanted. */
  constructor(limits: Limits, repeat = 1) {
    this.#limits = limits;
    this.#repeat = repeat;
  }

  /** A run has just ended, and its work took `ms` milliseconds each time. */
  add(ms: number): void {
    if (!this.#tally) return this.#warmUp();
    this.#times.push(ms);
    this.#calls = this.#tally.perRun(this.#times.length * this.#repeat);
  }

  /** Times `work` and takes it in. It must not resolve before its result can be read. */
  async time(work: () => Promise<unknown>): Promise<void> {
    const start = performance.now();
    await work();
    this.add((performance.now() - start) / this.#repeat);
  }

  get enough(): boolean {
    const { length } = this.#times;
    return length >= this.#limits.runs || (length >= LEAST_RUNS && this.#elapsed() > this.#limits.budgetMs);
  }

  get figures(): Figures {
    const [medianMs, minMs] = [rounded(median(this.#times)), rounded(Math.min(...this.#times))];
    return { medianMs, minMs, runs: this.#times.length, ...this.#calls };
  }

  #warmUp(): void {
    this.#warmUps++;
    if (this.#warmUps < WARM_UPS && this.#elapsed() < this.#limits.budgetMs * WARM_UP_SHARE) return;
    this.#tally = new Tally();
    this.#began = performance.now();
  }

  #elapsed(): number {
    return performance.now() - this.#began;
  }
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? NaN : (low + high) / 2;
}

/** To the microsecond: no browser's clock is finer. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
