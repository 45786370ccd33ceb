/** One training run: its events, and what is kept after it, however it ended. */

import { type AnyExample, Ia3Error, type Model, type TrainEvent, type TrainOptions, type TrainResult } from "ia3-web";
import type { RunFigures } from "./state.js";

/** How a run ended. */
export interface Followed {
  result: TrainResult;
  figures: RunFigures;
  /** Why a run that diverged or failed ended; its last good vectors are in the adapter all the same. */
  error: unknown;
}

/** Trains and hands every event on; an abort of `signal` ends the run with what it has learnt so far. */
export async function follow(
  model: Model, name: string, examples: AnyExample[], options: TrainOptions, signal: AbortSignal, onEvent: (event: TrainEvent) => void,
): Promise<Followed> {
  const run = model.train(name, examples, options);
  const stop = () => run.stop(); // where the run's own signal would end it with an error
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  const times: number[] = [];
  let result: TrainResult;
  let fault: unknown;
  try {
    for await (const event of run) {
      if (event.type === "step") times.push(event.ms);
      onEvent(event);
    }
    result = await run;
  } catch (error) {
    if (!(error instanceof Ia3Error && error.details.result)) throw error;
    result = error.details.result as TrainResult;
    fault = error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
  return {
    result,
    error: fault,
    figures: {
      trainExamples: examples.length,
      steps: result.steps,
      msPerStep: median(times),
      lossFirst: result.losses[0] ?? NaN,
      lossLast: result.losses.at(-1) ?? NaN,
    },
  };
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
