// Examples and inputs of every task: what passes, what is left out, and what is refused by its place and field.

import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./source.mjs";

const { exampleList } = await source("examples");
const { continuationList, questionList, rankingList, wordLists } = await source("inputs");

const USER = { role: "user", content: "hi" };
const CHAT = [USER, { role: "assistant", content: null, tool_calls: [{ name: "f", arguments: { a: [1, true, null] } }] }];
const GENERATION = "text-generation";

const GOOD = {
  "text-classification": [{ text: "a", label: "x" }, { text: "a", textPair: "b", label: "x" }],
  "token-classification": [{ words: ["a", "b"], labels: ["x", "y"] }],
  "question-answering": [{ question: "q", context: "a b", answer: "b" }, { question: "q", context: "a b", answer: "b", answerStart: 2 }],
  "text-generation": [
    { prompt: "a", completion: " b" },
    { text: "a b" },
    { messages: CHAT },
    { input: [USER], choices: ["a", "b"], answer: "a" },
  ],
  "text2text-generation": [{ input: "a", output: "b" }],
};

const BAD = [
  ["text-classification", { text: "a" }, "label"],
  ["token-classification", { words: "a b", labels: ["x"] }, "words"],
  ["token-classification", { words: ["a"], labels: [1] }, "labels"],
  ["question-answering", { question: "q", context: "a" }, "answer"],
  ["question-answering", { question: "q", context: "a", answer: "a", answerStart: -1 }, "answerStart"],
  ["question-answering", { context: "a", answer: "a" }, "question"],
  ["text-generation", { prompt: "a" }, "completion"],
  ["text-generation", { completion: "a" }, "prompt"],
  ["text2text-generation", { input: "a" }, "output"],
  ["text-generation", { messages: "hi" }, "messages"],
  ["text-generation", { messages: [] }, "messages"],
  ["text-generation", { messages: [USER] }, "messages"],
  ["text-generation", { input: [], choices: ["a", "b"], answer: "a" }, "input"],
  ["text-generation", { input: 7, choices: ["a", "b"], answer: "a" }, "input"],
  ["text2text-generation", { input: [USER], choices: ["a", "b"], answer: "a" }, "input"],
];

for (const [task, examples] of Object.entries(GOOD)) {
  test(`${task}: examples pass, and fields beside theirs are left out`, () => {
    assert.deepEqual(exampleList("train", task, examples.map((example) => ({ ...example, source: "a data set" }))), examples);
  });
}

for (const [task, example, field] of BAD) {
  test(`${task}: ${JSON.stringify(example)} is refused for its ${field}`, () => {
    const list = [...GOOD[task], example];
    assert.throws(() => exampleList("train", task, list), { code: "bad-option", details: { index: list.length - 1, field } });
  });
}

test("examples that are no list say what they should be", () => {
  for (const task of Object.keys(GOOD)) {
    assert.throws(() => exampleList("train", task, {}), { code: "bad-option", message: /list of \{/ });
    assert.throws(() => exampleList("train", task, [7]), { code: "bad-option", details: { index: 0 } });
  }
});

test("questions and continuations come alone or in a list", () => {
  const question = { question: "q", context: "c" };
  assert.deepEqual(questionList("answer", question), questionList("answer", [question]));
  const row = { prompt: "", continuation: "a" };
  assert.deepEqual(continuationList("score", GENERATION, row), continuationList("score", GENERATION, [row]));
  assert.throws(() => continuationList("score", GENERATION, [row, { prompt: "a" }]), { details: { index: 1, field: "continuation" } });
});

test("words are lists of lists", () => {
  assert.deepEqual(wordLists("tag", [["a", "b"], []]), [["a", "b"], []]);
  assert.throws(() => wordLists("tag", "a b"), { code: "bad-option" });
  assert.throws(() => wordLists("tag", [["a"], "b"]), { details: { index: 1, field: "words" } });
});

test("messages are refused by their place and field", () => {
  const wrong = [
    ["hi", undefined],
    [{ content: "hi" }, "role"],
    [{ role: 7, content: "hi" }, "role"],
    [{ role: "", content: "hi" }, "role"],
    [{ role: "user" }, "content"],
    [{ role: "user", content: ["hi"] }, "content"],
    [{ role: "user", content: "hi", tool: () => {} }, "tool"],
    [{ role: "user", content: "hi", size: NaN }, "size"],
  ];
  for (const [message, field] of wrong) {
    const expected = { code: "bad-option", details: { index: 1, message: 1, ...(field ? { field } : { field: "messages" }) } };
    assert.throws(() => exampleList("train", GENERATION, [{ text: "a" }, { messages: [...CHAT, USER].toSpliced(1, 1, message) }]), expected);
  }
  const cycle = { role: "user", content: "hi" };
  cycle.self = cycle;
  assert.throws(() => continuationList("score", GENERATION, { prompt: [cycle], continuation: "a" }), { details: { index: 0, message: 0, field: "self" } });
});

test("conversations go on, and are chosen for, in text-generation alone", () => {
  const row = { prompt: CHAT, continuation: "a" };
  assert.deepEqual(continuationList("score", GENERATION, row), [row]);
  assert.throws(() => continuationList("score", "text2text-generation", row), { code: "bad-option", message: /text-generation/, details: { index: 0, field: "prompt" } });
  const ranking = { input: [USER], choices: ["a", "b"] };
  assert.deepEqual(rankingList("choose", GENERATION, ranking), [ranking]);
  assert.throws(() => rankingList("choose", "text2text-generation", ranking), { code: "bad-option", details: { index: 0, field: "input" } });
});
