// Measures ia3-web: opens the benchmark page in a fresh browser, presses its button and reads its report.

import { launch } from "../browser.mjs";
import { serve } from "../serve.mjs";

const TIMEOUT = 30 * 60_000;

/**
 * @param {Record<string, string>} parameters the page's address parameters
 * @returns {Promise<{rows: object[], ops: object[]}>} what the page found
 */
export async function measureOurs(parameters) {
  const server = await serve();
  const browser = await launch();
  try {
    const page = await browser.newPage();
    page.on("pageerror", (error) => console.error(`error in the page: ${error.message}`));
    await page.goto(`${server.origin}/bench.html?${new URLSearchParams({ baseUrl: "/hub", ...parameters })}`);
    await page.getByTestId("run").click();
    const done = page.locator("#run-card[data-done]").waitFor({ timeout: TIMEOUT }).then(() => true);
    const banner = page.locator('[data-testid="error"]:not([hidden])');
    const reached = await Promise.race([done, banner.waitFor({ timeout: TIMEOUT }).then(() => false)]);
    if (!reached) throw new Error(`the benchmark page says: ${await banner.innerText()}`);
    const { rows, ops } = JSON.parse(await page.getByTestId("report").textContent());
    return { rows, ops };
  } finally {
    await browser.close();
    await server.close();
  }
}
