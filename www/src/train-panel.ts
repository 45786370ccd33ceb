/** The training panel: options, start and stop, progress, time left and the live loss curve. */

import type { TrainEvent, TrainOptions, TrainResult } from "ia3-web";
import type { LossChart } from "./chart.js";
import { announce, need, onPress, setAvailable } from "./dom.js";
import { count, duration, loss } from "./format.js";
import type { MemoryPanel } from "./memory-panel.js";
import type { Runner } from "./runner.js";
import { numberIn } from "./settings.js";
import type { State } from "./state.js";
import { follow, refuseEarly } from "./training.js";
import type { Workbench } from "./workbench.js";

/** How often a running training asks for the memory in use, in steps. */
const MEMORY_EVERY = 10;

const ENDED: Record<TrainResult["reason"], string> = {
  completed: "Done",
  patience: "Done early, as it got no better",
  aborted: "Stopped, and what it learnt so far is kept",
  diverged: "Stopped at a loss that is no number, and the last good vectors are kept",
  failed: "Stopped by a fault, and the last good vectors are kept",
};

/** Starts the panel; a finished or stopped run leaves its adapter in `state`. */
export function startTrainPanel(state: State, runner: Runner, workbench: Workbench, chart: LossChart, memory: MemoryPanel): void {
  const train = need("train", HTMLButtonElement);
  const stop = need("stop", HTMLButtonElement);
  const bar = need("progress", HTMLProgressElement);
  const status = need("train-status", HTMLParagraphElement);
  const say = (text: string) => { status.textContent = text; };

  const onEvent = (event: TrainEvent) => {
    if (event.type === "device-lost") say(`The GPU was lost; going on from step ${event.step} on a fresh one`);
    if (event.type !== "step") return;
    const { step, totalSteps } = event;
    chart.add(step, totalSteps, event.loss);
    bar.max = totalSteps;
    bar.value = step;
    say(`Step ${step} of ${totalSteps} · loss ${loss(event.loss)} · ${duration(event.etaMs)} left`);
    if (step % Math.ceil(totalSteps / 4) === 0) announce(`${Math.round((100 * step) / totalSteps)} percent trained`);
    if (step % MEMORY_EVERY === 1) memory.show();
  };

  const work = async (signal: AbortSignal) => {
    const name = need("adapter-name", HTMLInputElement).value.trim();
    refuseEarly(state, name);
    const labels = state.labels();
    bar.value = 0;
    say("Getting the model ready");
    const model = await workbench.open({ labels, pooling: "mean" }, signal);
    const known = state.find(name);
    if (known) await workbench.use(known, signal);
    else {
      await workbench.forget(name); // left over from a run that failed
      await model.addAdapter(name);
    }
    say("Preparing the first step");
    chart.start();
    const { result, figures, error } = await follow(model, name, state.data.train, options(), signal, onEvent);
    state.keep({
      name, labels, pooling: "mean", origin: "trained here", run: figures,
      files: await model.saveAdapter(name),
      trainableParameters: model.trainableParameters(name).trainable,
    });
    chart.describe();
    const losses = result.steps > 0 ? `, loss ${loss(figures.lossFirst)} to ${loss(figures.lossLast)}` : "";
    say(`${ENDED[result.reason]}: ${count(result.steps, "step")} in ${duration(result.ms)}${losses}.`);
    announce(status.textContent ?? "");
    if (error) throw error;
  };

  onPress(train, () => {
    const before = state.data.adapters;
    void runner.run("training", "Training did not finish", work).then((finished) => {
      if (!finished && state.data.adapters === before) say("Not trained. Your examples and adapters are as they were.");
    });
  });
  onPress(stop, () => {
    train.focus(); // the button that was pressed is about to be disabled
    runner.stop();
  });

  state.subscribe(() => {
    const training = state.data.busy === "training";
    setAvailable(train, !state.data.busy);
    stop.disabled = !training;
    need("train-tag", HTMLSpanElement).textContent = training ? "Training" : "Idle";
    need("train-card", HTMLElement).toggleAttribute("data-done", state.data.adapters.some((adapter) => adapter.run));
  });
}

/** The advanced options that were filled in; the library has good defaults for the others. */
function options(): TrainOptions {
  const objective = need("objective", HTMLSelectElement).value as "" | NonNullable<TrainOptions["objective"]>;
  const numbers = { steps: numberIn("steps"), batchSize: numberIn("batch-size"), learningRate: numberIn("learning-rate"), seed: numberIn("seed") };
  const given = Object.entries(numbers).filter(([, value]) => value !== undefined);
  return { ...(Object.fromEntries(given) as TrainOptions), ...(objective && { objective }) };
}
