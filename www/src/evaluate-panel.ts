/** The measuring panel: accuracy of base and adapter on the test set, which labels are mixed up, and the report. */

import { confusionTable } from "./confusion.js";
import { announce, download, need, onPress, setAvailable } from "./dom.js";
import { count, duration, percent } from "./format.js";
import type { MemoryPanel } from "./memory-panel.js";
import { publishReport, report } from "./report.js";
import type { Runner } from "./runner.js";
import type { Adapter, Example, State } from "./state.js";
import type { Workbench } from "./workbench.js";

/** Test sentences a call: progress is shown, and stopping works, between two calls. */
const PART = 32;

/** Starts the panel; it measures the active adapter and publishes the report. */
export function startEvaluatePanel(state: State, runner: Runner, workbench: Workbench, memory: MemoryPanel): void {
  const button = need("evaluate", HTMLButtonElement);
  const save = need("save-report", HTMLButtonElement);
  const bar = need("evaluate-progress", HTMLProgressElement);
  const status = need("evaluate-status", HTMLParagraphElement);
  const base = need("test-base-accuracy", HTMLParagraphElement);
  const adapted = need("test-adapter-accuracy", HTMLParagraphElement);
  const gain = need("gain", HTMLParagraphElement);
  const tag = need("evaluate-tag", HTMLSpanElement);
  let json = "";

  const work = async (signal: AbortSignal) => {
    const adapter = state.active();
    const examples = state.data.test;
    if (!adapter) throw new Error("There is no adapter yet. Train one, or load one, and measure it here.");
    refuseUnknown(examples, adapter);
    const model = await workbench.use(adapter, signal);
    const started = performance.now();
    const half = (name: string | null, from: number) => confusionOf(model, examples, name, signal, (done) => { bar.value = from + done / 2; });
    base.textContent = adapted.textContent = "…";
    const baseConfusion = await half(null, 0).catch((error: unknown) => {
      // An adapter that was loaded from a file brings no class means for the base.
      if (error instanceof Error && "code" in error && error.code === "no-head") return undefined;
      throw error;
    });
    const baseAccuracy = baseConfusion && accuracy(baseConfusion);
    base.textContent = baseAccuracy === undefined ? "–" : percent(baseAccuracy);
    const confusion = await half(adapter.name, 0.5);
    const adapterAccuracy = accuracy(confusion);
    adapted.textContent = percent(adapterAccuracy);
    need("confusion", HTMLDetailsElement).querySelector(".table-scroll")?.replaceChildren(confusionTable(confusion, adapter.labels));
    need("confusion", HTMLDetailsElement).hidden = false;
    gain.textContent = baseAccuracy === undefined ? "" : `${signed((adapterAccuracy - baseAccuracy) * 100)} points`;
    status.textContent = `${count(examples.length, "test sentence")} in ${duration(performance.now() - started)}.${baseAccuracy === undefined ? " The base has no class means for these labels until you train on examples of them." : ""}`;
    tag.textContent = adapter.name;
    need("evaluate-card", HTMLElement).dataset.done = "";
    announce(`Base ${base.textContent}, adapter ${adapted.textContent}`);
    memory.show();
    json = JSON.stringify(report({ model, modelName: modelName(), adapter, testExamples: examples.length, baseAccuracy, adapterAccuracy, peakMemoryBytes: memory.peakBytes }), null, 2);
    publishReport(json);
    save.hidden = false;
  };

  onPress(button, () => void runner.run("measuring", "The test did not finish", work));
  save.addEventListener("click", () => download("ia3-web-report.json", json, "application/json"));
  state.subscribe((changed) => {
    setAvailable(button, !state.data.busy);
    bar.hidden = state.data.busy !== "measuring";
    if (bar.hidden) bar.value = 0;
    if (base.textContent === "…" && bar.hidden) base.textContent = "–";
    if (adapted.textContent === "…" && bar.hidden) adapted.textContent = "–";
    // Figures of one adapter or test set must not be read as those of another.
    if ("active" in changed || changed.test) {
      base.textContent = adapted.textContent = "–";
      gain.textContent = "";
      tag.textContent = "Not measured";
      status.textContent = "Share of test sentences that get the right label.";
      need("confusion", HTMLDetailsElement).hidden = true;
      delete need("evaluate-card", HTMLElement).dataset.done;
    }
  });
}

type Model = NonNullable<Workbench["model"]>;

/** The confusion table (rows: true label, columns: answer) of all examples, part by part. */
async function confusionOf(model: Model, examples: Example[], adapter: string | null, signal: AbortSignal, progress: (share: number) => void): Promise<number[][]> {
  let sum: number[][] | undefined;
  for (let at = 0; at < examples.length; at += PART) {
    signal.throwIfAborted();
    const { confusion } = await model.evaluate(examples.slice(at, at + PART), { adapter, signal });
    sum = sum ? sum.map((row, i) => row.map((value, j) => value + (confusion[i]?.[j] ?? 0))) : confusion;
    progress(Math.min(1, (at + PART) / examples.length));
  }
  return sum ?? [];
}

function accuracy(confusion: number[][]): number {
  const total = confusion.flat().reduce((sum, value) => sum + value, 0);
  return confusion.reduce((sum, row, i) => sum + (row[i] ?? 0), 0) / total;
}

function refuseUnknown(examples: Example[], adapter: Adapter): void {
  if (examples.length === 0) throw new Error("There are no test examples. Load the sample task, add your own under Test, or hold out a fifth of the training examples.");
  const unknown = examples.find((example) => !adapter.labels.includes(example.label));
  if (unknown) throw new Error(`The test set has the label "${unknown.label}", which the adapter "${adapter.name}" does not know (${adapter.labels.join(", ")}). Choose another adapter or other test examples.`);
}

function modelName(): string {
  return need("model-id", HTMLInputElement).value.trim();
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;
}
