// Without a server, once everything is there: the page from its service worker, the model from the Cache API.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MINILM, openDemo, SMOLLM2 } from "./demo.mjs";

const GONE = /ERR_CONNECTION_REFUSED|ERR_INTERNET_DISCONNECTED|Failed to fetch/;

test("reloads, loads the model and trains with the server switched off", async (t) => {
  const demo = await openDemo(t, { parameters: MINILM, expected: GONE });
  await demo.loadSample();
  await demo.get("load-model").click();
  await demo.until("model-status", /^Ready: .* from the network/);

  await demo.server.close();
  await demo.page.reload();
  await demo.loadSample();
  await demo.get("load-model").click();
  await demo.until("model-status", /^Ready: .* from this browser's cache/);
  await demo.train("offline");
  await demo.classify("How much is a new strap?");
  assert.match(await demo.text("answer-adapter"), /%/);
});

test("the chat answers with the server switched off", async (t) => {
  const demo = await openDemo(t, { ...SMOLLM2, expected: GONE });
  await demo.get("load-model").click();
  await demo.until("model-status", /^Ready: .* from the network/);

  await demo.server.close();
  await demo.page.reload();
  await demo.page.getByText("How it answers").click();
  await demo.page.locator("#max-new-tokens").fill("4");
  await demo.get("chat-input").fill("hello");
  await demo.get("send").click();
  await demo.done("chat-card");
  assert.match(await demo.text("model-status"), /from this browser's cache/);
});
