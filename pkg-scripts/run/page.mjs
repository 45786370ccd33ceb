// A page of the demo with short names for what a run does with it, and everything that went wrong in it.

import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";

export const MINUTES = 60_000;

export class DemoPage {
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

  /** Loads the sample task and the model, trains on it and measures. */
  async trainOnSample({ training, measuring }) {
    await this.press("load-sample", "#example-list li", MINUTES);
    await this.press("load-model", "#model-card[data-done]", 5 * MINUTES);
    console.log(`device: ${await this.text("device")} (${await this.text("device-reason")})`);
    await this.press("train", "#train-card[data-done]", training * MINUTES);
    console.log(`training: ${await this.text("train-status")}`);
    await this.press("evaluate", "#evaluate-card[data-done]", measuring * MINUTES);
  }

  async report() {
    return JSON.parse(await this.get("report").textContent());
  }

  /** Downloads the active adapter and unpacks it into `folder`. */
  async saveAdapter(folder) {
    const zip = `${folder}.zip`;
    const [download] = await Promise.all([this.page.waitForEvent("download"), this.get("download-adapter").click()]);
    await download.saveAs(zip);
    mkdirSync(folder, { recursive: true });
    execFileSync("python3", ["-m", "zipfile", "-e", zip, folder]);
    rmSync(zip);
  }

  /** A picture of the whole page. */
  async picture(folder, name) {
    await this.page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  }
}

/** A text of the page in one line. */
export function oneLine(text) {
  return text.replace(/\s+/g, " ").trim();
}
