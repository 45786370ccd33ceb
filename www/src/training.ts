/** One training run: what must hold before it, its events, and what is kept after it, however it ended. */

import { Ia3Error, type Model, type TrainEvent, type TrainOptions, type TrainResult } from "ia3-web";
import type { Example, RunFigures, State } from "./state.js";

/** How a run ended. */
export interface Followed {
  result: TrainResult;
  figures: RunFigures;
  /** Why a run that diverged or failed ended; its last good vectors are in the adapter all the same. */
  error: unknown;
}

/** What a person must do first, said before anything is loaded. */
export function refuseEarly(state: State, name: string): void {
  const labels = state.labels();
  if (labels.length === 0) throw new Error("There are no training examples yet. Load the sample task or add your own.");
  if (labels.length === 1) throw new Error(`All training examples have the label "${labels[0]}". Add examples of at least one other label.`);
  if (name === "") throw new Error("The adapter has no name. Give it one above the Train button.");
  const known = state.find(name);
  if (known && (known.pooling !== "mean" || known.labels.join("\n") !== labels.join("\n"))) {
    throw new Error(`The adapter "${name}" knows other labels (${known.labels.join(", ")}). Choose another name to train a new one.`);
  }
}

/** Trains and hands every event on; an abort of `signal` ends the run with what it has learnt so far. */
export async function follow(
  model: Model, name: string, examples: Example[], options: TrainOptions, signal: AbortSignal, onEvent: (event: TrainEvent) => void,
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
