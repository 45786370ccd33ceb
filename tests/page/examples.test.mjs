// A person's own examples: typed, pasted, dropped as CSV, wrong, held out, removed and brought back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openDemo } from "./demo.mjs";

const rows = (demo) => demo.page.locator("#example-list li > span:first-child").allInnerTexts();
const csv = (text) => ({ name: "mine.csv", mimeType: "text/csv", buffer: Buffer.from(text) });

async function type(demo, text) {
  await demo.page.locator("#csv-text").fill(text);
  await demo.page.getByRole("button", { name: "Add examples" }).click();
}

test("takes typed lines and quoted CSV", async (t) => {
  const demo = await openDemo(t);
  await type(demo, 'plain words,a\n"with, comma and ""quotes""",b');
  assert.deepEqual(await rows(demo), ["plain words", 'with, comma and "quotes"']);
  assert.equal(await demo.page.locator("#csv-text").inputValue(), "");
});

test("takes a CSV file with a header in any order, line breaks inside quotes and CRLF", async (t) => {
  const demo = await openDemo(t);
  await demo.page.locator("#csv-file").setInputFiles(csv('\uFEFFlabel,text\r\nx,"two\nlines"\r\ny,one line\r\n'));
  await demo.page.locator("#example-list li").first().waitFor();
  assert.deepEqual(await rows(demo), ["two lines", "one line"]);
});

test("takes text pairs, tabs and semicolons", async (t) => {
  const demo = await openDemo(t);
  await type(demo, "text,text_pair,label\nis it red,it is red,same");
  await type(demo, "tabbed\tt");
  await type(demo, "semicolon;s");
  assert.deepEqual(await rows(demo), ["is it red | it is red", "tabbed", "semicolon"]);
});

test("takes a file that is dropped on the zone", async (t) => {
  const demo = await openDemo(t);
  await demo.page.locator("#csv-file").evaluate((input) => {
    const data = new DataTransfer();
    data.items.add(new File(["dropped sentence,d\n"], "dropped.csv", { type: "text/csv" }));
    input.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  });
  await demo.page.locator("#example-list li").first().waitFor();
  assert.deepEqual(await rows(demo), ["dropped sentence"]);
});

test("names the rows it cannot read, takes the others, and gives the bad ones back", async (t) => {
  const demo = await openDemo(t);
  await type(demo, "good one,a\nno label\none,two,three");
  await demo.error(/2 rows of your text could not be read/);
  await demo.error(/Row 2: the label is missing.*Row 3: 3 columns/s);
  assert.deepEqual(await rows(demo), ["good one"]);
  assert.equal(await demo.page.locator("#csv-text").inputValue(), "no label\none,two,three");
});

test("holds out a fifth of each label for the test, and undoes it", async (t) => {
  const demo = await openDemo(t);
  await type(demo, ["a", "b"].flatMap((label) => [1, 2, 3, 4, 5].map((n) => `sentence ${n} of ${label},${label}`)).join("\n"));
  await demo.page.getByRole("button", { name: "Hold out a fifth" }).click();
  assert.equal(await demo.page.locator("#train-count").innerText(), "8");
  await demo.page.getByLabel("Test").check({ force: true });
  assert.deepEqual(await rows(demo), ["sentence 5 of a", "sentence 5 of b"]);
  await demo.page.getByRole("button", { name: "Undo" }).click();
  assert.equal(await demo.page.locator("#train-count").innerText(), "10");
});

test("brings back what was cleared", async (t) => {
  const demo = await openDemo(t);
  await type(demo, "keep me,a");
  await demo.page.getByRole("button", { name: "Clear" }).click();
  assert.deepEqual(await rows(demo), []);
  await demo.page.getByRole("button", { name: "Undo" }).click();
  assert.deepEqual(await rows(demo), ["keep me"]);
});

test("refuses to train on a single label, and nothing is lost", async (t) => {
  const demo = await openDemo(t);
  await type(demo, "one,a\ntwo,a");
  await demo.get("train").click();
  await demo.error(/All training examples have the label "a"/);
  assert.deepEqual(await rows(demo), ["one", "two"]);
});

test("loads the shipped sample task", async (t) => {
  const demo = await openDemo(t, { parameters: {} });
  await demo.loadSample();
  assert.equal(await demo.page.locator("#label-counts li").count(), 5);
  assert.ok(Number(await demo.page.locator("#train-count").innerText()) >= 120);
  assert.ok(Number(await demo.page.locator("#test-count").innerText()) >= 300);
});
