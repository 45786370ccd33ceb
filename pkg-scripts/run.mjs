// Does the whole job once, as a person would: opens the demo page, loads the model, trains on the sample task, measures,
// tries a sentence and downloads the adapter. Succeeds only if every part really happened.
//   node run.mjs [--device auto|webgpu|wasm]

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { launch } from "./browser.mjs";
import { folders } from "./folders.mjs";
import { checkAdapter, checkReport } from "./run_checks.mjs";
import { serve } from "./serve.mjs";

const MINUTES = 60_000;
const SENTENCE = "I sent the lamp back a month ago and the money still has not reached my card.";
const { out, www } = folders();
const { values } = parseArgs({ options: { device: { type: "string", default: "auto" } } });

/** The page with short names for what the run does with it, and everything that went wrong in it. */
class DemoPage {
  problems = [];

  constructor(page, origin) {
    this.page = page;
    page.on("pageerror", (error) => this.problems.push(`error in the page: ${error.message}`));
    page.on("console", (message) => {
      if (message.type() === "error") this.problems.push(`console: ${message.text()}`);
    });
    // "Nothing leaves the device": no other host may even be asked.
    page.on("request", (request) => {
      const { protocol, origin: asked } = new URL(request.url());
      if (protocol.startsWith("http") && asked !== origin) this.problems.push(`asked another host: ${request.url()}`);
    });
  }

  get(testId) {
    return this.page.getByTestId(testId);
  }

  text(testId) {
    return this.get(testId).innerText();
  }

  /** Presses a button, then waits until `done` is there; an error banner of the page ends the wait at once. */
  async press(testId, done, timeout) {
    await this.get(testId).click();
    const banner = this.page.locator('[data-testid="error"]:not([hidden])');
    const reached = await Promise.race([
      this.page.locator(done).first().waitFor({ state: "attached", timeout }).then(() => true),
      banner.waitFor({ timeout }).then(() => false),
    ]);
    if (!reached) throw new Error(`after "${testId}" the page says: ${await banner.innerText()}`);
  }

  async report() {
    return JSON.parse(await this.get("report").textContent());
  }

  async saveDownload(testId, file) {
    const [download] = await Promise.all([this.page.waitForEvent("download"), this.get(testId).click()]);
    await download.saveAs(file);
  }
}

async function trainOnSample(demo) {
  await demo.press("load-sample", "#example-list li", MINUTES);
  await demo.press("load-model", "#model-card[data-done]", 5 * MINUTES);
  console.log(`device: ${await demo.text("device")} (${await demo.text("device-reason")})`);
  await demo.press("train", "#train-card[data-done]", 30 * MINUTES);
  console.log(`training: ${await demo.text("train-status")}`);
  await demo.press("evaluate", "#evaluate-card[data-done]", 15 * MINUTES);
}

async function tryOneSentence(demo, labels) {
  await demo.get("input-text").fill(SENTENCE);
  await demo.press("classify", `[data-testid="answer-adapter"] >> text=/${labels.join("|")}/`, MINUTES);
  const [base, adapter] = await Promise.all([demo.text("answer-base"), demo.text("answer-adapter")]);
  console.log(`"${SENTENCE}"\n  ${oneLine(base)}\n  ${oneLine(adapter)}`);
}

async function saveAdapter(demo) {
  const zip = join(out, "adapter.zip");
  const folder = join(out, "adapter");
  await demo.saveDownload("download-adapter", zip);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  execFileSync("python3", ["-m", "zipfile", "-e", zip, folder]);
  rmSync(zip);
  return folder;
}

function oneLine(text) {
  return text.replace(/\s+/g, " ").trim();
}

function print(report) {
  for (const [name, value] of Object.entries(report)) console.log(`${name.padEnd(20)} ${value}`);
}

/** A run that fails must not leave the files of an earlier one that succeeded. */
function forgetLastRun() {
  for (const name of ["run.json", "run.png", "adapter"]) rmSync(join(out, name), { recursive: true, force: true });
}

const sample = JSON.parse(readFileSync(join(www, "data", "sample.json"), "utf8"));
forgetLastRun();
const server = await serve();
const browser = await launch();
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const demo = new DemoPage(page, server.origin);
  await page.goto(`${server.origin}/?device=${values.device}&baseUrl=/hub`);
  await trainOnSample(demo);
  await tryOneSentence(demo, sample.labels);
  const folder = await saveAdapter(demo);
  await page.screenshot({ path: join(out, "run.png"), fullPage: true });

  const { gzipBytes } = JSON.parse(readFileSync(join(out, "wasm-size.json"), "utf8"));
  const report = { ...(await demo.report()), wasmGzipBytes: gzipBytes };
  checkReport(report, { device: values.device, sample });
  checkAdapter(folder, report);
  if (demo.problems.length > 0) throw new Error(demo.problems.join("\n"));
  writeFileSync(join(out, "run.json"), `${JSON.stringify(report, null, 2)}\n`);
  print(report);
} finally {
  await browser.close();
  await server.close();
}
