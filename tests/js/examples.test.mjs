// Examples and inputs of every task: what passes, what is left out, and what is refused by its place and field.

import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./source.mjs";

const { exampleList } = await source("examples");
const { continuationList, questionList, wordLists } = await source("inputs");

const GOOD = {
  "text-classification": [{ text: "a", label: "x" }, { text: "a", textPair: "b", label: "x" }],
  "token-classification": [{ words: ["a", "b"], labels: ["x", "y"] }],
  "question-answering": [{ question: "q", context: "a b", answer: "b" }, { question: "q", context: "a b", answer: "b", answerStart: 2 }],
  "text-generation": [{ prompt: "a", completion: " b" }, { text: "a b" }],
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
  assert.deepEqual(continuationList("score", row), continuationList("score", [row]));
  assert.throws(() => continuationList("score", [row, { prompt: "a" }]), { details: { index: 1, field: "continuation" } });
});

test("words are lists of lists", () => {
  assert.deepEqual(wordLists("tag", [["a", "b"], []]), [["a", "b"], []]);
  assert.throws(() => wordLists("tag", "a b"), { code: "bad-option" });
  assert.throws(() => wordLists("tag", [["a"], "b"]), { details: { index: 1, field: "words" } });
});
