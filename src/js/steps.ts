// A training run on the engine's side: steps until the end, through aborts and lost devices.

import { codeOf, errorData, isTrap, type ErrorData } from "./errors.js";
import { nextTask } from "./turn.js";
import type { EndEvent, EvalEvent, StepEvent, TrainEvent, TrainResult } from "./types.js";

/** Reopenings of a lost device in a row, without a step in between, before the loss is reported. */
const RECOVERIES = 2;

/** The calls that a run is made of. */
export interface Training {
  begin(): Promise<unknown>;
  /** One optimiser step; the events since the last. */
  step(): Promise<(StepEvent | EvalEvent | EndEvent)[]>;
  /** Puts the base model on a fresh device; the session goes on from its last completed step. */
  recover(): Promise<void>;
  /** Keeps the best or last good vectors in the adapter. */
  end(reason: "completed" | "aborted" | "failed"): Promise<TrainResult>;
  emit(event: TrainEvent): void;
}

/** Runs to the end. A failure after the beginning comes beside the result, since the vectors so far are kept. */
export async function runTraining(
  training: Training,
  signal: AbortSignal,
): Promise<{ result: TrainResult; error: ErrorData | null }> {
  await training.begin();
  let reason: "completed" | "aborted";
  try {
    reason = await takeSteps(training, signal);
  } catch (error) {
    if (isTrap(error)) throw error;
    if (!signal.aborted) return { result: await training.end("failed"), error: errorData(error) };
    reason = "aborted";
  }
  return { result: await training.end(reason), error: null };
}

async function takeSteps(training: Training, signal: AbortSignal): Promise<"completed" | "aborted"> {
  let step = 0;
  let losses = 0;
  while (!signal.aborted) {
    try {
      for (const event of await training.step()) {
        training.emit(event);
        if (event.type === "end") return "completed";
        if (event.type === "step") [step, losses] = [event.step, 0];
      }
    } catch (error) {
      if (codeOf(error) !== "device-lost" || losses === RECOVERIES) throw error;
      losses++;
      training.emit({ type: "device-lost", step });
      await training.recover();
    }
    await nextTask();
  }
  return "aborted";
}
