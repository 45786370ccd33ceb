// Who can use the page: keyboard alone, a phone, a screen reader, either colour scheme.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openDemo, TINY_CHAT } from "./demo.mjs";

const PAGES = { classify: {}, chat: TINY_CHAT };

test("the whole job goes by keyboard", async (t) => {
  const demo = await openDemo(t);
  const { keyboard } = demo.page;
  await demo.get("load-sample").focus();
  await keyboard.press("Enter");
  await demo.page.locator("#example-list li").first().waitFor();
  await tabTo(demo, "train");
  await keyboard.press("Space");
  await demo.until("train-status", /^Done/);
  assert.equal(await focused(demo), "train", "focus stays where it was while training");
  await tabTo(demo, "input-text");
  await keyboard.type("Is it ready?");
  await keyboard.press("Enter");
  await demo.until("answer-adapter", /%/);
  await tabTo(demo, "evaluate");
  await keyboard.press("Enter");
  await demo.until("test-adapter-accuracy", /%/);
});

for (const [name, place] of Object.entries(PAGES)) {
  test(`${name}: every focus stop is seen`, async (t) => {
    const demo = await openDemo(t, place);
    await demo.loadSample();
    for (let stop = 0; ; stop++) {
      await demo.page.keyboard.press("Tab");
      if (await demo.page.evaluate(() => document.activeElement === document.body)) {
        assert.ok(stop > 15, "the last control is followed by the page itself");
        break;
      }
      assert.ok(stop < 200, "Tab never gets to the page's end");
      const seen = await demo.page.evaluate(() => {
        const at = document.activeElement;
        const shown = at.closest(".drop, .segmented label") ?? at;
        return [shown, ...shown.querySelectorAll("span"), at].some((each) => getComputedStyle(each).outlineStyle === "solid");
      });
      assert.ok(seen, `stop ${stop + 1}: ${await demo.page.evaluate(() => document.activeElement.outerHTML.slice(0, 120))}`);
    }
  });

  test(`${name}: every control has a name, every card a heading`, async (t) => {
    const demo = await openDemo(t, place);
    await demo.loadSample();
    const nameless = await demo.page.evaluate(() =>
      [...document.querySelectorAll("button, input, select, textarea, progress")]
        .filter((each) => !(each.getAttribute("aria-label") ?? each.labels?.[0]?.textContent ?? each.textContent).trim())
        .map((each) => each.outerHTML));
    assert.deepEqual(nameless, []);
    assert.equal(await demo.page.locator("section:not([aria-labelledby])").count(), 0);
  });

  for (const width of [360, 390, 900, 1280]) {
    for (const colorScheme of ["light", "dark"]) {
      test(`${name} fits ${width} px, ${colorScheme}`, async (t) => {
        const demo = await openDemo(t, { ...place, context: { viewport: { width, height: 800 }, colorScheme } });
        await demo.loadSample();
        await demo.page.evaluate(() => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
        await demo.get("train").focus();
        const overflow = await demo.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.equal(overflow, 0);
        assert.deepEqual(await faint(demo.page), [], "text with a contrast under 4.5");
      });
    }
  }
}

const focused = (demo) => demo.page.evaluate(() => document.activeElement.dataset.testid ?? document.activeElement.id);

async function tabTo(demo, testId) {
  for (let press = 0; press < 400; press++) {
    if ((await focused(demo)) === testId) return;
    await demo.page.keyboard.press("Tab");
  }
  assert.fail(`Tab never reaches ${testId}`);
}

/** Visible texts whose contrast with what is painted behind them is under 4.5 (WCAG 2.2, 1.4.3); unavailable controls are exempt. */
function faint(page) {
  return page.evaluate(() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      return canvas.getImageData(0, 0, 1, 1).data;
    };
    const luminance = ([r, g, b]) => [r, g, b]
      .map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
      .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const colour = rgba(getComputedStyle(at).backgroundColor);
        if (colour[3] > 200) return colour;
      }
      return [255, 255, 255];
    };
    return [...document.querySelectorAll("body *")]
      .filter((element) => element.checkVisibility() && !element.closest('[aria-disabled="true"], :disabled, .skip, .visually-hidden, progress'))
      .filter((element) => [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()))
      .map((element) => {
        const [light, dark] = [luminance(rgba(getComputedStyle(element).color)), luminance(behind(element))].sort((a, b) => b - a);
        return { text: element.textContent.slice(0, 40), contrast: (light + 0.05) / (dark + 0.05) };
      })
      .filter(({ contrast }) => contrast < 4.5);
  });
}
