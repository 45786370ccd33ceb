// Does the whole job once, as a person would: opens a page of the demo, loads the model, trains on the sample task, measures, tries
// the adapter and downloads it. Succeeds only if every part really happened.
//   node run.mjs [--model minilm|smollm2] [--device auto|webgpu|wasm]

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { launch } from "./browser.mjs";
import { folders } from "./folders.mjs";
import { checkAdapter } from "./run/checks.mjs";
import { MINILM } from "./run/minilm.mjs";
import { DemoPage } from "./run/page.mjs";
import { SMOLLM2 } from "./run/smollm2.mjs";
import { serve } from "./serve.mjs";

const { out, www } = folders();
const { values } = parseArgs({
  options: { model: { type: "string", default: "minilm" }, device: { type: "string", default: "auto" } },
});
const { address, task, names, check, use } = { minilm: MINILM, smollm2: SMOLLM2 }[values.model];
const sample = JSON.parse(readFileSync(join(www, "data", task), "utf8"));
const adapter = join(out, names.adapter);

// A run that fails must not leave the files of an earlier one that succeeded.
for (const name of [names.report, `${names.picture}.png`, names.adapter]) rmSync(join(out, name), { recursive: true, force: true });

const server = await serve();
const browser = await launch();
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const demo = new DemoPage(page, server.origin);
  await page.goto(`${server.origin}/${address}?device=${values.device}&baseUrl=/hub`);
  await use(demo, sample);
  await demo.saveAdapter(adapter);
  await demo.picture(out, names.picture);

  const { module, withThreads } = JSON.parse(readFileSync(join(out, "wasm-size.json"), "utf8"));
  const wasmGzipBytes = Math.max(module.gzipBytes, withThreads.gzipBytes);
  const report = await demo.report();
  const figures = { ...report, ...(values.model === "minilm" && { wasmGzipBytes }) };
  check(figures, { device: values.device, sample });
  checkAdapter(adapter, report);
  if (demo.problems.length > 0) throw new Error(demo.problems.join("\n"));
  writeFileSync(join(out, names.report), `${JSON.stringify(figures, null, 2)}\n`);
  for (const [name, value] of Object.entries(figures)) console.log(`${name.padEnd(24)} ${value}`);
} finally {
  await browser.close();
  await server.close();
}
