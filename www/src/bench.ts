/** The benchmark page: makes the parts and wires them together. */

import { countCalls } from "./bench/calls.js";
import { Results } from "./bench/results.js";
import { startRunPanel } from "./bench/run-panel.js";
import { fillSettings } from "./bench/settings.js";
import { startErrorBanner } from "./error-banner.js";
import { startTheme } from "./theme.js";

countCalls();
startErrorBanner();
startTheme(() => {});
fillSettings(location.search);
startRunPanel(new Results());
