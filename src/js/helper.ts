// The script of a helper: an instance of the module on the engine's memory, that does parts of its work and nothing else.

import { help, initSync, type Invitation } from "./ia3_web_threads.js";

addEventListener("message", (event: MessageEvent<Invitation>) => {
  const { module, memory, lost, pool } = event.data;
  initSync({ module, memory });
  postMessage(null);
  try {
    help(pool);
  } catch (trap) {
    // The engine waits for the part that this helper was at.
    Atomics.add(new Int32Array(memory.buffer), lost / Int32Array.BYTES_PER_ELEMENT, 1);
    throw trap;
  }
}, { once: true });
