/** The exports of the WebAssembly module that only measure. The package's own engine shares the instance. */

import init, { Matmul, Session } from "ia3-web-glue";

/** Starts the module, if it has not been started yet. */
export async function startGlue(): Promise<{ Matmul: typeof Matmul; Session: typeof Session }> {
  await init({ module_or_path: new URL("../pkg/ia3_web_bg.wasm", import.meta.url) });
  return { Matmul, Session };
}
