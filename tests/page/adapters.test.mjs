// Several adapters on the page: switch, rename, delete, download as a zip and take back in.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { unzipSync, zipSync } from "fflate";
import { MINILM, openDemo, path, TINY } from "./demo.mjs";

const SENTENCE = "What does a new lens cost?";

/** The files of an adapter saved by Python's PEFT. */
const saved = (name) => ["adapter_config.json", "adapter_model.safetensors"].map((file) => path(`fixtures/peft-saved/${name}/${file}`));

test("switches between two adapters, and the answer follows", async (t) => {
  const demo = await openDemo(t);
  await demo.loadSample();
  await demo.train("short");
  await demo.page.getByText("Advanced", { exact: true }).click();
  await demo.page.locator("#steps").fill("200");
  await demo.train("long");
  await demo.classify(SENTENCE);
  const long = await demo.scores("answer-adapter");
  const base = await demo.scores("answer-base");
  await demo.page.getByRole("radio", { name: /^short/ }).check();
  await demo.page.waitForFunction((before) => !document.querySelector(".answer.adapter .bars").innerText.includes(before), long.price);
  assert.match(await demo.text("answer-adapter"), /short/);
  assert.notDeepEqual(await demo.scores("answer-adapter"), long);
  await demo.page.getByRole("radio", { name: /^long/ }).check();
  await demo.page.waitForFunction((before) => document.querySelector(".answer.adapter .bars").innerText.includes(before), long.price);
  assert.deepEqual(await demo.scores("answer-adapter"), long);
  assert.deepEqual(await demo.scores("answer-base"), base, "the base answers the same whatever adapter is active");
});

test("renames and deletes adapters", async (t) => {
  const demo = await openDemo(t);
  await demo.loadSample();
  await demo.train("first");
  await demo.page.getByRole("button", { name: "Rename first" }).click();
  await demo.page.getByLabel("New name of first").fill("better");
  await demo.page.keyboard.press("Enter");
  await demo.page.locator('[data-adapter="better"]').waitFor();
  await demo.classify(SENTENCE);
  await demo.page.getByRole("button", { name: "Delete better" }).click();
  await demo.page.locator("[data-adapter]").waitFor({ state: "detached" });
  assert.ok(await demo.get("download-adapter").isDisabled());
});

test("a downloaded zip dropped into a fresh page gives the same answer", async (t) => {
  const demo = await openDemo(t, { parameters: MINILM });
  await demo.loadSample();
  await demo.train("repairs");
  await demo.classify(SENTENCE);
  const scores = await demo.scores("answer-adapter");
  const { name, file } = await demo.downloadAdapter();
  assert.equal(name, "repairs.zip");
  const files = unzipSync(readFileSync(file));
  assert.deepEqual(Object.keys(files).sort(), ["adapter_config.json", "adapter_model.safetensors", "head.safetensors", "head_config.json"]);

  // As Python users pack it: in a folder, and renamed.
  writeFileSync(`${file}.zip`, zipSync(Object.fromEntries(Object.entries(files).map(([each, content]) => [`saved/${each}`, content]))));
  const fresh = await openDemo(t, { parameters: MINILM });
  await fresh.get("drop-adapter").setInputFiles(`${file}.zip`);
  await fresh.page.locator("[data-adapter]").waitFor();
  await fresh.classify(SENTENCE);
  assert.deepEqual(await fresh.scores("answer-adapter"), scores);
  assert.match(await fresh.text("answer-base"), /nothing to compare with yet/);
});

test("takes a SEQ_CLS adapter that Python saved, whose files name no labels", async (t) => {
  const demo = await openDemo(t, { parameters: { ...TINY, model: "/tiny-bert" } });
  await demo.get("drop-adapter").setInputFiles(saved("list"));
  await demo.page.locator("[data-adapter]").waitFor();
  await demo.classify("the good cat");
  assert.deepEqual(Object.keys(await demo.scores("answer-adapter")), ["LABEL_0", "LABEL_1", "LABEL_2"]);
});

test("takes bare vectors that Python saved, and trains them further", async (t) => {
  const demo = await openDemo(t);
  await demo.get("drop-adapter").setInputFiles(saved("feature-extraction"));
  await demo.error(/do not say which labels it has/);
  await demo.loadSample();
  await demo.get("drop-adapter").setInputFiles(saved("feature-extraction"));
  await demo.page.locator("[data-adapter]").waitFor();
  await demo.train("loaded");
  await demo.until("train-status", /^Done/);
  await demo.classify("the good cat");
});

test("names the mismatch of an adapter of another base, and does not keep it", async (t) => {
  const demo = await openDemo(t, { parameters: MINILM });
  await demo.loadSample();
  await demo.get("drop-adapter").setInputFiles(saved("feature-extraction"));
  await demo.error(/The adapter was not loaded/);
  await demo.error(/layer\.0\.[\w.]+.*\(adapter-mismatch\)/s);
  assert.equal(await demo.page.locator("[data-adapter]").count(), 0);
});

test("says what is wrong with a file that is no adapter, and keeps the adapters there are", async (t) => {
  const demo = await openDemo(t);
  await demo.loadSample();
  await demo.train("good");
  const drop = (name, buffer) => demo.get("drop-adapter").setInputFiles({ name, mimeType: "application/zip", buffer });
  await drop("notes.zip", Buffer.from("PK\u0003\u0004 and no more"));
  await demo.error(/notes\.zip is not a readable zip/);
  await drop("other.zip", Buffer.from(zipSync({ "readme.txt": new Uint8Array(3) })));
  await demo.error(/no adapter_config\.json/);
  assert.deepEqual(await demo.page.locator("[data-adapter] b").allInnerTexts(), ["good"]);
});
