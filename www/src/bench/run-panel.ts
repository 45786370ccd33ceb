/** The panel that starts and stops a run of the benchmark, and says how far it is. */

import { announce, need, onPress, setAvailable } from "../dom.js";
import { hideError, showError } from "../error-banner.js";
import { duration } from "../format.js";
import { measure } from "./measure.js";
import type { Results } from "./results.js";
import { kindsIn } from "./row.js";
import { readSettings } from "./settings.js";

/** Starts the panel; results go to `results` as they come. */
export function startRunPanel(results: Results): void {
  const run = need("run", HTMLButtonElement);
  const stop = need("stop", HTMLButtonElement);
  const bar = need("progress", HTMLProgressElement);
  const status = need("run-status", HTMLParagraphElement);
  const card = need("run-card", HTMLElement);
  let abort: AbortController | undefined;

  const say = (text: string) => { status.textContent = text; };

  const work = async (signal: AbortSignal) => {
    const request = readSettings();
    const started = performance.now();
    bar.max = request.places.reduce((sum, place) => sum + kindsIn(place, request.kinds).length, 0);
    bar.value = 0;
    results.clear();
    const listener = {
      say: (text: string) => say(`Measuring: ${text}`),
      row: (row: Parameters<Results["addRow"]>[0]) => { results.addRow(row); bar.value++; },
      ops: (ops: Parameters<Results["addOps"]>[0]) => { results.addOps(ops); bar.value++; },
    };
    await measure(request, listener, signal);
    say(`Done in ${duration(performance.now() - started)}.`);
    card.dataset.done = "";
  };

  const start = async () => {
    abort = new AbortController();
    setAvailable(run, false);
    stop.disabled = false;
    delete card.dataset.done;
    hideError();
    try {
      await work(abort.signal);
    } catch (error) {
      say("Stopped. What was measured before stays below.");
      if (!abort.signal.aborted) showError("The benchmark did not finish", error);
    } finally {
      setAvailable(run, true);
      stop.disabled = true;
      announce(status.textContent ?? "");
    }
  };

  onPress(run, () => void start());
  onPress(stop, () => {
    run.focus(); // the button that was pressed is about to be disabled
    abort?.abort();
    say("Stopping after the run under way");
  });
}
