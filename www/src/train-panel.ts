/** The training panel: options, start and stop, progress, time left and the live loss curve. */

import type { AnyExample, TrainEvent, TrainOptions, TrainResult } from "ia3-web";
import type { LossChart } from "./chart.js";
import { announce, need, onPress, setAvailable } from "./dom.js";
import { count, duration, loss } from "./format.js";
import type { MemoryPanel } from "./memory-panel.js";
import type { Runner } from "./runner.js";
import { numberIn } from "./settings.js";
import type { SavedAdapter, State } from "./state.js";
import { follow } from "./training.js";
import type { Workbench } from "./workbench.js";

/** What a page trains. */
export interface TrainJob<Needs, Adapter extends SavedAdapter> {
  /** Says what a person must do first, before anything is loaded. */
  check: (name: string) => void;
  /** What the model has to meet. */
  needs: () => Needs;
  examples: () => AnyExample[];
  /** What takes the place of the library's defaults. */
  options: TrainOptions;
  /** The adapter to keep, with what the page has to know of it. */
  adapter: (saved: SavedAdapter) => Adapter;
}

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
export function startTrainPanel<Needs, Example, Adapter extends SavedAdapter & Needs>(
  state: State<Example, Adapter>, runner: Runner, workbench: Workbench<Needs>, job: TrainJob<Needs, Adapter>, chart: LossChart, memory: MemoryPanel,
): void {
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
    if (name === "") throw new Error("The adapter has no name. Give it one above the Train button.");
    job.check(name);
    bar.value = 0;
    say("Getting the model ready");
    const model = await workbench.open(job.needs(), signal);
    const known = state.find(name);
    if (known) await workbench.use(known, signal);
    else {
      await workbench.forget(name); // left over from a run that failed
      await model.addAdapter(name);
    }
    say("Preparing the first step");
    chart.start();
    const { result, figures, error } = await follow(model, name, job.examples(), { ...job.options, ...options() }, signal, onEvent);
    const files = await model.saveAdapter(name);
    const trainableParameters = model.trainableParameters(name).trainable;
    state.keep(job.adapter({ name, files, origin: "trained here", trainableParameters, run: figures }));
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

const NUMBERS = { steps: "steps", batchSize: "batch-size", learningRate: "learning-rate", maxLength: "max-length", seed: "seed" } as const;

/** The advanced options that the page has and that were filled in. */
function options(): TrainOptions {
  const numbers = Object.entries(NUMBERS).map(([name, id]) => [name, numberIn(id)]).filter(([, value]) => value !== undefined);
  const objective = document.querySelector<HTMLSelectElement>("#objective")?.value as "" | TrainOptions["objective"];
  return { ...(Object.fromEntries(numbers) as TrainOptions), ...(objective && { objective }) };
}
