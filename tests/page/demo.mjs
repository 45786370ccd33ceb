// The demo page as the tests drive it: real Chromium, the real build, our own server, and a record of everything that went wrong.

import assert from "node:assert/strict";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { launch } from "../../pkg-scripts/browser.mjs";
import { demoMounts, serve } from "../../pkg-scripts/serve.mjs";

const MINUTES = 60_000;

/** One browser for all tests, started by the first; every test has a context of its own, which shares nothing with the others. */
let browser;
const sharedBrowser = () => (browser ??= launch());
after(async () => (await browser)?.close());

/** A path below tests/. */
export const path = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url));

/** The address parameters of a short run of MiniLM: the CPU, our own hub, a task of twelve sentences. */
export const MINILM = { device: "wasm", baseUrl: "/hub", task: "/task/small.json", steps: "8", seed: "1" };

/** The same with a random BERT of 53 kB, for what does not depend on the model: it loads and trains within a second. */
export const TINY = { ...MINILM, model: "/tiny-bert-mean" };

/** The chat page with a random LLaMA of 26 kB that has a chat template. */
export const TINY_CHAT = {
  file: "chat.html",
  parameters: { device: "wasm", model: "/gguf/chat.gguf", task: "/task/pairs.json", steps: "4", batchSize: "2", maxLength: "64", maxNewTokens: "8" },
};

/** The chat page with its own model, whose answers are long enough to be stopped. */
export const SMOLLM2 = { file: "chat.html", parameters: { device: "wasm", baseUrl: "/hub", maxNewTokens: "1000" } };

/**
 * Opens the page in a context of its own, closed after the test, which fails if the page logged an error,
 * broke its security policy or asked any host but its own.
 * @param {import("node:test").TestContext} t
 * @param {object} [options]
 * @param {string} [options.file] the page, if it is another than the demo
 * @param {Record<string, string>} [options.parameters] the page's address parameters
 * @param {import("playwright-core").BrowserContextOptions} [options.context]
 * @param {(context: import("playwright-core").BrowserContext) => Promise<void>} [options.arrange] runs before the page is opened
 * @param {RegExp} [options.expected] console errors that the test causes on purpose
 */
export async function openDemo(t, { file = "", parameters = TINY, context: contextOptions = {}, arrange = async () => {}, expected } = {}) {
  const mounts = { ...demoMounts(), "/task/": path("page/task") };
  for (const model of ["tiny-bert", "tiny-bert-mean", "gguf"]) mounts[`/${model}/`] = path(`fixtures/${model}`);
  const server = await serve({ mounts });
  const context = await (await sharedBrowser()).newContext(contextOptions);
  context.setDefaultTimeout(3 * MINUTES);
  await arrange(context);
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(`error in the page: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !expected?.test(message.text())) problems.push(`console: ${message.text()}`);
  });
  context.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol.startsWith("http") && origin !== server.origin) problems.push(`asked another host: ${request.url()}`);
  });
  t.after(async () => {
    await context.close();
    await server.close().catch(() => {}); // a test may have closed it already
    assert.deepEqual(problems, []);
  });
  await page.goto(`${server.origin}/${file}?${new URLSearchParams(parameters)}`);
  return new Demo(page, server);
}

export class Demo {
  constructor(page, server) {
    this.page = page;
    this.server = server;
  }

  /** The element with this data-testid. */
  get(testId) {
    return this.page.getByTestId(testId);
  }

  text(testId) {
    return this.get(testId).innerText();
  }

  /** Waits until the element's text matches. */
  until(testId, pattern) {
    return this.#reached(this.get(testId).filter({ hasText: pattern }), pattern);
  }

  /** Waits until what a card is for was done. */
  done(card) {
    return this.#reached(this.page.locator(`#${card}[data-done]`), card);
  }

  /** The error banner ends the wait with what it says. */
  async #reached(locator, what) {
    const banner = this.page.locator('[data-testid="error"]:not([hidden])');
    const first = await Promise.race([locator.waitFor().then(() => "reached"), banner.waitFor().then(() => "error")]);
    if (first === "error") assert.fail(`waiting for ${what}, the page says: ${await banner.innerText()}`);
  }

  /** Waits until the error banner says this. */
  async error(pattern) {
    await this.get("error").filter({ hasText: pattern }).waitFor({ timeout: MINUTES });
  }

  async loadSample() {
    await this.get("load-sample").click();
    await this.page.locator("#example-list li").first().waitFor({ timeout: MINUTES });
  }

  /** Trains an adapter of this name on the examples there are. */
  async train(name) {
    await this.page.locator("#adapter-name").fill(name);
    await this.get("train").click();
    await this.page.locator(`[data-adapter="${name}"]`).waitFor();
  }

  async classify(text) {
    await this.get("input-text").fill(text);
    await this.get("classify").click();
    await this.until("answer-adapter", /%/);
  }

  /** Label to score of an answer card, as a screen reader would read them. */
  async scores(testId) {
    await this.get(testId).locator(".bars li").first().waitFor();
    const rows = await this.get(testId).locator(".bars li").allInnerTexts();
    return Object.fromEntries(rows.map((row) => row.trim().split(/\s*\n\s*/)));
  }

  /** The active adapter's zip as the page hands it out. */
  async downloadAdapter() {
    const [download] = await Promise.all([this.page.waitForEvent("download"), this.get("download-adapter").click()]);
    return { name: download.suggestedFilename(), file: await download.path() };
  }
}
