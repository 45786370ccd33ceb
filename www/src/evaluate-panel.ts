/** The measuring panel: base and adapter on the test set, and the report. */

import type { Model } from "ia3-web";
import { announce, download, need, onPress, setAvailable } from "./dom.js";
import { count, duration, percent } from "./format.js";
import type { MemoryPanel } from "./memory-panel.js";
import { publishReport, type Report, sizeOf, trainingFigures } from "./report.js";
import type { Runner } from "./runner.js";
import type { SavedAdapter, State } from "./state.js";
import type { Workbench } from "./workbench.js";

/** How a page measures. */
export interface Measure<Example, Adapter extends SavedAdapter, Score extends { accuracy: number }> {
  /** What a test example is called: "test sentence". */
  noun: string;
  /** What the figures mean, shown while there are none. */
  meaning: string;
  /** Why the base may have no figure. */
  withoutBase?: string;
  /** Says what a person must do first. */
  check: (examples: Example[], adapter: Adapter) => void;
  /** How an adapter, or the base, does on the examples; undefined where it cannot answer. Tells of its progress, 0 to 1. */
  score: (model: Model, examples: Example[], adapter: string | null, signal: AbortSignal, progress: (share: number) => void) => Promise<Score | undefined>;
  /** Shows more of the adapter's figures, or takes them away. */
  details?: (score: Score | undefined, adapter: Adapter | undefined) => void;
  /** What the report says beside the shared figures. */
  report: (measured: { model: Model; adapter: Adapter; examples: Example[]; base: Score | undefined; adapted: Score }, signal: AbortSignal) => Promise<Report>;
}

/** Starts the panel; it measures the active adapter and publishes the report. */
export function startEvaluatePanel<Needs, Example, Adapter extends SavedAdapter & Needs, Score extends { accuracy: number }>(
  state: State<Example, Adapter>, runner: Runner, workbench: Workbench<Needs>, memory: MemoryPanel, measure: Measure<Example, Adapter, Score>,
): void {
  const button = need("evaluate", HTMLButtonElement);
  const save = need("save-report", HTMLButtonElement);
  const bar = need("evaluate-progress", HTMLProgressElement);
  const status = need("evaluate-status", HTMLParagraphElement);
  const figures = { base: need("test-base-accuracy", HTMLParagraphElement), adapter: need("test-adapter-accuracy", HTMLParagraphElement) };
  const gain = need("gain", HTMLParagraphElement);
  const tag = need("evaluate-tag", HTMLSpanElement);
  let json = "";

  const work = async (signal: AbortSignal) => {
    const adapter = state.active();
    const examples = state.data.test;
    if (!adapter) throw new Error("There is no adapter yet. Train one, or load one, and measure it here.");
    if (examples.length === 0) throw new Error("There are no test examples. Load the sample task, add your own under Test, or hold out a fifth of the training examples.");
    measure.check(examples, adapter);
    const model = await workbench.use(adapter, signal);
    const started = performance.now();
    const half = (name: string | null, from: number) => measure.score(model, examples, name, signal, (done) => { bar.value = from + done / 2; });
    figures.base.textContent = figures.adapter.textContent = "…";
    const base = await half(null, 0);
    figures.base.textContent = base ? percent(base.accuracy) : "–";
    const adapted = await half(adapter.name, 0.5);
    if (!adapted) throw new Error(`The adapter "${adapter.name}" cannot answer.`);
    figures.adapter.textContent = percent(adapted.accuracy);
    measure.details?.(adapted, adapter);
    gain.textContent = base ? `${signed((adapted.accuracy - base.accuracy) * 100)} points` : "";
    status.textContent = `${count(examples.length, measure.noun)} in ${duration(performance.now() - started)}.${base ? "" : ` ${measure.withoutBase ?? ""}`}`;
    const report: Report = {
      device: model.device,
      model: need("model-id", HTMLInputElement).value.trim(),
      ...trainingFigures(adapter),
      testExamples: examples.length,
      ...(await measure.report({ model, adapter, examples, base, adapted }, signal)),
      adapterBytes: sizeOf(adapter.files),
    };
    tag.textContent = adapter.name;
    announce(`Base ${figures.base.textContent}, adapter ${figures.adapter.textContent}`);
    memory.show();
    json = JSON.stringify({ ...report, peakMemoryBytes: memory.peakBytes }, null, 2);
    publishReport(json);
    need("evaluate-card", HTMLElement).dataset.done = "";
    save.hidden = false;
  };

  const reset = () => {
    figures.base.textContent = figures.adapter.textContent = "–";
    gain.textContent = "";
    tag.textContent = "Not measured";
    status.textContent = measure.meaning;
    measure.details?.(undefined, undefined);
    delete need("evaluate-card", HTMLElement).dataset.done;
  };

  onPress(button, () => void runner.run("measuring", "The test did not finish", work));
  save.addEventListener("click", () => download("ia3-web-report.json", json, "application/json"));
  state.subscribe((changed) => {
    setAvailable(button, !state.data.busy);
    bar.hidden = state.data.busy !== "measuring";
    if (bar.hidden) bar.value = 0;
    for (const figure of Object.values(figures)) if (figure.textContent === "…" && bar.hidden) figure.textContent = "–";
    // Figures of one adapter or test set must not be read as those of another.
    if ("active" in changed || changed.test) reset();
  });
  reset();
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;
}
