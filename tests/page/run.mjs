// Every page test, one after the other in one process: two browsers training at once would only slow each other down.

import "./examples.test.mjs";
import "./reach.test.mjs";
import "./training.test.mjs";
import "./chat.test.mjs";
import "./device.test.mjs";
import "./adapters.test.mjs";
import "./offline.test.mjs";
import "./bench.test.mjs";
