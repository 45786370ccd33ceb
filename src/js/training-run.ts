// A training run as the caller sees it.

import { Ia3Error } from "./errors.js";
import { Run } from "./run.js";
import type { TrainEvent, TrainResult } from "./types.js";

/**
 * Training under way: events to iterate over, and a promise of the result. Leaving a loop early stops listening, not training. `stop()` ends it
 * after the step under way: the run then resolves with reason `aborted`, and its vectors so far are kept.
 */
export class TrainingRun extends Run<TrainEvent, TrainResult> {
  protected aborted({ reason }: TrainResult): boolean {
    return reason === "aborted";
  }

  protected override checked(result: TrainResult): TrainResult {
    if (result.reason !== "diverged") return result;
    const text = `the loss or its gradient is no longer finite after step ${result.steps}; the vectors of step ${result.bestStep} are kept`;
    throw new Ia3Error("diverged", `${text}. Lower learningRate and headLearningRate`, { result });
  }
}
