// Headless Chromium with the flags of webdriver.json, for run.mjs and the browser tests.

import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

/**
 * Starts Chromium with a fresh profile and WebGPU on a software adapter.
 * @param {import("playwright-core").LaunchOptions} [options] put over the defaults
 * @returns {Promise<import("playwright-core").Browser>}
 */
export function launch(options = {}) {
  const { binary, args } = JSON.parse(readFileSync(new URL("webdriver.json", import.meta.url)))["goog:chromeOptions"];
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? binary,
    args: args.filter((flag) => !flag.startsWith("--headless")),
    headless: true,
    ...options,
  });
}
