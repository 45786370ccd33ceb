/** The page that chats: makes the state and the parts and wires them together. */

import "uplot/dist/uPlot.min.css";
import { startAdaptersPanel } from "./adapters-panel.js";
import { LossChart } from "./chart.js";
import { CHAT_ADAPTERS, CHAT_MODEL, chatJob, DEFAULT_MODEL } from "./chat/chat-model.js";
import { startChatPanel } from "./chat/chat-panel.js";
import { EXACT_MATCH } from "./chat/exact-match.js";
import { startPairInput } from "./chat/pair-input.js";
import { type ChatState, PAIRS } from "./chat/pairs.js";
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

const settings = readSettings(location.search, { ...DEFAULT_MODEL, task: "data/appointments.json" });
const state: ChatState = new State();
const runner = new Runner(state);
const chart = new LossChart(need("loss-chart", HTMLDivElement));
startErrorBanner();
startTheme(() => chart.restyle());
const workbench = startDevicePanel(state, runner, settings, keepForOffline(), CHAT_MODEL);
const memory = new MemoryPanel(workbench);
startPairInput(startExamplesPanel(state, PAIRS, settings.task));
startTrainPanel(state, runner, workbench, chatJob(state), chart, memory);
startChatPanel(state, runner, workbench);
startAdaptersPanel(state, runner, workbench, CHAT_ADAPTERS);
startEvaluatePanel(state, runner, workbench, memory, EXACT_MATCH);
state.subscribe((changed) => { if ("busy" in changed) memory.show(); });
state.guard();
