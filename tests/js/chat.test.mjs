// Conversations against real transformers: what templates write, what is learned of it, and what is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cases, files, reader, STYLES } from "./chat-fixtures.mjs";
import { source } from "./source.mjs";

const { Chat } = await source("chat");
const { chatSource } = await source("chat-source");

const USER = { role: "user", content: "hi" };
const ANSWER = { role: "assistant", content: "hello" };

const chatOf = async (folder) => new Chat(await chatSource(reader(files(folder)), null));
const chatWith = async (template) => new Chat(await chatSource(reader({}), template));
const pairs = (pieces) => pieces.map(({ text, learned }) => [text, learned]);

for (const folder of STYLES.flatMap((style) => [style, `${style}-generation`])) {
  const { rendered, refused } = cases(folder.replace("-generation", ""));
  const { learned, rewritten = [] } = cases(folder);

  test(`${folder}: every conversation is written as by transformers`, async () => {
    const chat = await chatOf(folder);
    for (const { messages, add_generation_prompt: prompt, text } of rendered) assert.equal(await chat.text(messages, prompt), text);
  });

  test(`${folder}: what the assistant wrote is learned`, async () => {
    const chat = await chatOf(folder);
    for (const { messages, pieces } of learned) assert.deepEqual(pairs(await chat.pieces(messages, 0)), pieces);
  });

  test(`${folder}: what the template raises, and turns that are written anew, are errors with their place`, async () => {
    const chat = await chatOf(folder);
    for (const { messages, reason } of refused) {
      const expected = (error) => error.code === "chat-template-failed" && error.details.index === 3 && error.message.endsWith(reason);
      await assert.rejects(chat.pieces(messages, 3), expected);
      await assert.rejects(chat.examples([{ messages }]), { code: "chat-template-failed", details: { index: 0 } });
    }
    for (const { messages, turn } of rewritten) {
      await assert.rejects(chat.pieces(messages, 3), { code: "chat-template-failed", details: { index: 3, turn } });
    }
  });
}

test("a turn that is written anew names the turn and the way out", async () => {
  const [{ messages, turn }] = cases("thinking").rewritten.filter(({ turn }) => turn > 0);
  await assert.rejects((await chatOf("thinking")).pieces(messages, 0), { message: new RegExp(`message ${turn} is written differently.*generation`) });
});

test("only examples and prompts with messages are rendered", async () => {
  const chat = await chatWith("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}");
  const plain = [{ prompt: "a", completion: "b" }, { text: "a" }, { input: "a", choices: ["b", "c"], answer: "b" }];
  assert.deepEqual(await chat.examples(plain), plain);
  const rendered = { rendered: "<user>hi<assistant>" };
  const pieces = [{ text: "<user>hi<assistant>", learned: false }, { text: "hello", learned: true }];
  const ranked = { choices: ["b", "c"], answer: "b" };
  assert.deepEqual(await chat.examples([{ messages: [USER, ANSWER] }, { input: [USER], ...ranked }]), [{ pieces }, { input: rendered, ...ranked }]);
  assert.deepEqual(await chat.continuations([{ prompt: [USER], continuation: "b" }, { prompt: "", continuation: "b" }]), [
    { prompt: rendered, continuation: "b" },
    { prompt: "", continuation: "b" },
  ]);
  const filled = { text: "a", template: { prompt: "{{text}}", choices: { a: "b", c: "d" } } };
  assert.deepEqual(await chat.rankings([filled, { input: [USER], choices: ["b", "c"] }]), [filled, { input: rendered, choices: ["b", "c"] }]);
});

test("a template that cannot be compiled, or fails, says why", async () => {
  const failures = {
    "{% if x %}": /undefined|end/i,
    "{{ raise_exception('no ' + messages[0].role) }}": /no user/,
    "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns | tojson }}": /more memory or depth/,
  };
  for (const [template, message] of Object.entries(failures)) {
    await assert.rejects((await chatWith(template)).text([USER], false), { code: "chat-template-failed", message });
  }
});

test("a hostile template ends with an error", async () => {
  const bombs = {
    "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}": /steps/,
    "{% for a in range(1000000000) %}{% endfor %}": /range/,
    "{% set ns = namespace(t='0123456789') %}{% for a in range(99) %}{% set ns.t = ns.t + ns.t %}{% endfor %}": /longer than/,
    "{% set ns = namespace(t=[1]) %}{% for a in range(99) %}{% set ns.t = ns.t + ns.t %}{% endfor %}": /longer than/,
    "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}": /failed/,
    [`${" ".repeat(100_000)}{{ messages }}`]: /in a row/,
    ["a".repeat(2_000_000)]: /characters/,
    [`{{ ${"(".repeat(20_000)}1${")".repeat(20_000)} }}`]: /depth/,
  };
  for (const [template, message] of Object.entries(bombs)) {
    await assert.rejects((await chatWith(template)).text([USER], false), { code: "chat-template-failed", message });
  }
});

test("line ends of Windows are line ends", async () => {
  assert.equal(await (await chatWith("{% if true %}\r\na\r\n{% endif %}\r\nb\r")).text([USER], false), "a\nb");
});
