/** The demo page: makes the state and the parts and wires them together. */

import "uplot/dist/uPlot.min.css";
import { startAdaptersPanel } from "./adapters-panel.js";
import { LossChart } from "./chart.js";
import { startDevicePanel } from "./device-panel.js";
import { need } from "./dom.js";
import { startErrorBanner } from "./error-banner.js";
import { startEvaluatePanel } from "./evaluate-panel.js";
import { startExamplesPanel } from "./examples-panel.js";
import { MemoryPanel } from "./memory-panel.js";
import { keepForOffline } from "./offline.js";
import { Runner } from "./runner.js";
import { readSettings } from "./settings.js";
import { State } from "./state.js";
import { startTheme } from "./theme.js";
import { startTrainPanel } from "./train-panel.js";
import { startTryPanel } from "./try-panel.js";

const settings = readSettings(location.search);
const state = new State();
const runner = new Runner(state);
const chart = new LossChart(need("loss-chart", HTMLDivElement));
startErrorBanner();
startTheme(() => chart.restyle());
const workbench = startDevicePanel(state, runner, settings, keepForOffline());
const memory = new MemoryPanel(workbench);
startExamplesPanel(state, settings.task);
startTrainPanel(state, runner, workbench, chart, memory);
startTryPanel(state, runner, workbench);
startAdaptersPanel(state, runner, workbench);
startEvaluatePanel(state, runner, workbench, memory);
state.subscribe((changed) => { if ("busy" in changed) memory.show(); });
addEventListener("beforeunload", (event) => {
  if (state.data.adapters.some((adapter) => adapter.run) || state.data.busy === "training") event.preventDefault();
});
