// Where a model's chat template and special tokens come from, and what happens where they do not.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cases, files, reader, STYLES } from "./chat-fixtures.mjs";
import { source } from "./source.mjs";

const { chatSource } = await source("chat-source");
const { Chat } = await source("chat");
const { Ia3Error } = await source("errors");

const config = (fields) => JSON.stringify({ chat_template: "config", bos_token: "<s>", ...fields });
const found = (given, template = null) => chatSource(reader(given), template);

test("the tokens are those that transformers gives templates", async () => {
  for (const style of STYLES) assert.deepEqual((await found(files(style))).tokens, cases(style).special_tokens);
});

test("a file of its own goes before the configuration, and an option before both", async () => {
  const both = { "chat_template.jinja": "jinja", "tokenizer_config.json": config() };
  assert.equal((await found(both)).template, "jinja");
  const reads = reader(both);
  assert.deepEqual(await chatSource(reads, "mine"), { template: "mine", tokens: { bos_token: "<s>" } });
  assert.ok(!reads.asked.includes("chat_template.jinja"));
  assert.equal((await found({ "tokenizer_config.json": config(), "chat_template.json": '{"chat_template":"older"}' })).template, "config");
  assert.equal((await found({ "chat_template.json": '{"chat_template":"older"}' })).template, "older");
});

test("of several templates the default is taken", async () => {
  const named = [{ name: "tool_use", template: "tools" }, { name: "default", template: "usual" }];
  assert.equal((await found({ "tokenizer_config.json": config({ chat_template: named }) })).template, "usual");
  const without = await found({ "tokenizer_config.json": config({ chat_template: named.slice(0, 1) }) });
  assert.ok(without.code === "no-chat-template" && without.message.includes("tool_use"), without.message);
});

test("tokens are strings or objects, and the older map counts where no added tokens are listed", async () => {
  const fields = { eos_token: { __type: "AddedToken", content: "</s>" }, add_bos_token: true, pad_token: null, extra_special_tokens: { tool_token: "<tool>" } };
  const map = { "special_tokens_map.json": '{"eos_token":{"content":"<end>"},"unk_token":"<unk>"}' };
  const own = { bos_token: "<s>", eos_token: "</s>", tool_token: "<tool>" };
  assert.deepEqual((await found({ "tokenizer_config.json": config({ ...fields, added_tokens_decoder: {} }), ...map })).tokens, own);
  const older = await found({ "tokenizer_config.json": config(fields), ...map });
  assert.deepEqual(older.tokens, { ...own, eos_token: "<end>", unk_token: "<unk>" });
});

test("no template is an answer that says what to do, and not asked for needlessly", async () => {
  const reads = reader({ "tokenizer_config.json": "{}" });
  const answer = await chatSource(reads, null);
  assert.ok(answer instanceof Ia3Error && answer.code === "no-chat-template" && answer.message.includes("chatTemplate"));
  assert.deepEqual(reads.asked.sort(), ["chat_template.jinja", "chat_template.json", "tokenizer_config.json"]);
  const chat = new Chat(answer);
  await assert.rejects(chat.text([{ role: "user", content: "a" }], false), { code: "no-chat-template" });
  assert.deepEqual(await chat.examples([{ text: "a" }]), [{ text: "a" }]);
});

test("a file that is no JSON is named and dropped", async () => {
  for (const broken of ["<html>", "[]", "null"]) {
    const reads = reader({ "tokenizer_config.json": broken });
    const answer = await chatSource(reads, null);
    assert.deepEqual([answer.code, answer.details, reads.dropped], ["chat-template-failed", { file: "tokenizer_config.json" }, ["tokenizer_config.json"]]);
  }
});

test("a file that cannot be reached is an answer, a broken or aborted download is not", async () => {
  const unreachable = new Ia3Error("file-unreachable", "off");
  assert.equal(await found({ "chat_template.jinja": unreachable }), unreachable);
  await assert.rejects(found({ "chat_template.jinja": new Ia3Error("file-truncated", "half") }), { code: "file-truncated" });
  await assert.rejects(found({ "chat_template.jinja": new Error("given up") }), /given up/);
});
