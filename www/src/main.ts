/** The page that classifies: makes the state and the parts and wires them together. */

import "uplot/dist/uPlot.min.css";
import { startAdaptersPanel } from "./adapters-panel.js";
import { LossChart } from "./chart.js";
import { ACCURACY } from "./classify/accuracy.js";
import { classifierAdapters, classifierJob, classifierModel } from "./classify/classifier.js";
import type { ClassifierState } from "./classify/classes.js";
import { LABELLED, startLabelledInput } from "./classify/labelled-examples.js";
import { startTryPanel } from "./classify/try-panel.js";
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

const settings = readSettings(location.search, { model: "sentence-transformers/all-MiniLM-L6-v2", task: "data/sample.json" });
const state: ClassifierState = new State();
const runner = new Runner(state);
const chart = new LossChart(need("loss-chart", HTMLDivElement));
startErrorBanner();
startTheme(() => chart.restyle());
const workbench = startDevicePanel(state, runner, settings, keepForOffline(), classifierModel(state));
const memory = new MemoryPanel(workbench);
startLabelledInput(startExamplesPanel(state, LABELLED, settings.task));
startTrainPanel(state, runner, workbench, classifierJob(state), chart, memory);
startTryPanel(state, runner, workbench);
startAdaptersPanel(state, runner, workbench, classifierAdapters(state));
startEvaluatePanel(state, runner, workbench, memory, ACCURACY);
state.subscribe((changed) => { if ("busy" in changed) memory.show(); });
state.guard();
