// Every test of the packed package, one after the other in one process: two browsers at once would only slow each other down.

import "./package.test.mjs";
import "./plain.test.mjs";
import "./vite.test.mjs";
import "./tasks.test.mjs";
import "./gguf.test.mjs";
import "./generate.test.mjs";
import "./threads.test.mjs";
import "./half.test.mjs";
import "./minilm.test.mjs";
import "./faults.test.mjs";
import "./engine.test.mjs";
