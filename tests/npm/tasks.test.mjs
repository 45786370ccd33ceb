// The tasks beside text classification, each from its examples to its answers and its saved adapter, on tiny models.

import assert from "node:assert/strict";
import { test } from "node:test";
import { plainPage } from "./package.mjs";
import { open, TINY } from "./site.mjs";

const LEARN = { steps: 30, learningRate: 0.1, headLearningRate: 0.1, schedule: "constant" };

const CHAT = [{ role: "user", content: "a dog was" }, { role: "assistant", content: "not good" }];

const TASKS = {
  "token-classification": {
    source: TINY.tasks,
    options: { labels: ["word", "animal"] },
    examples: [
      { words: ["the", "cat", "was", "good"], labels: ["word", "animal", "word", "word"] },
      { words: ["a", "dog"], labels: ["word", "animal"] },
      { words: ["not", "the", "worst"], labels: ["word", "word", "word"] },
    ],
    broken: { words: ["a", "dog"], labels: ["word"] },
    ask: ["tag", [["a", "dog", "and", "the", "cat"]]],
    saved: "TOKEN_CLS",
  },
  "question-answering": {
    source: TINY.tasks,
    options: {},
    examples: [
      { question: "the animal", context: "the cat was good", answer: "cat" },
      { question: "the animal", context: "a dog and a horse", answer: "horse", answerStart: 12 },
    ],
    broken: { question: "the animal", context: "the cat was good", answer: "dog" },
    ask: ["answer", { question: "the animal", context: "not the dog" }],
    saved: "QUESTION_ANS",
  },
  "text-generation": {
    source: TINY.decoder,
    options: {},
    examples: [{ prompt: "the cat was", completion: " good" }, { prompt: "a dog", completion: " and the cat" }, { text: "the worst, bad" }, { messages: CHAT }],
    broken: { prompt: "the cat was", completion: "" },
    ask: ["score", { prompt: "the cat was", continuation: " good" }],
    saved: "CAUSAL_LM",
  },
  "text2text-generation": {
    source: TINY.rewriter,
    options: {},
    examples: [{ input: "the cat was", output: "good" }, { input: "a dog", output: "bad" }],
    broken: { input: "the cat was", output: "" },
    ask: ["score", { prompt: "the cat was", continuation: "good" }],
    saved: "SEQ_2_SEQ_LM",
  },
};

for (const [task, { source, options, examples, broken, ask: [verb, inputs], saved }] of Object.entries(TASKS)) {
  test(`${task}: trained, asked, saved, loaded, and told what is wrong with an example`, async (t) => {
    const { page } = await open(t, plainPage(), { file: "plain.html" });
    const found = await page.evaluate(
      async ([task, source, options, examples, broken, verb, inputs, learn]) => {
        const model = await ia3.Model.fromPretrained(source, { task, baseUrl: "/hub", device: "wasm", ...options });
        await model.addAdapter("learned");
        const base = await model[verb](inputs, { adapter: null }).catch((error) => error.code);
        const { losses, after } = await model.train("learned", examples, { ...learn, validation: examples });
        const answers = await model[verb](inputs);
        const files = await model.saveAdapter("learned");
        await model.loadAdapter("again", files);
        const again = await model[verb](inputs, { adapter: "again" });
        const error = await job.caught(ia3, model.train("learned", [broken, ...examples], learn));
        const config = JSON.parse(new TextDecoder().decode(files["adapter_config.json"]));
        return { base, losses, after, answers, again, error, taskType: config.task_type };
      },
      [task, source, options, examples, broken, verb, inputs, LEARN],
    );
    assert.ok(found.losses.at(-1) < 0.7 * found.losses[0], `the loss went ${found.losses}`);
    assert.deepEqual(found.again, found.answers);
    assert.notDeepEqual(found.base, found.answers);
    assert.equal(found.taskType, saved);
    assert.equal(found.error.code, "bad-example", found.error.message);
    CHECKS[task](found, inputs);
  });
}

const CHECKS = {
  "token-classification"({ answers: [{ labels, scores }], after }, [words]) {
    assert.equal(labels.length, words.length);
    assert.ok(scores.every((score) => score >= 0.5 && score <= 1), `${scores}`);
    assert.ok(after.accuracy > 0.8, `${after.accuracy}`);
  },
  "question-answering"({ answers: [{ answer, start, end, score }] }, { context }) {
    assert.equal(context.slice(start, end), answer);
    assert.ok(answer.length > 0 && score > 0 && score <= 1);
  },
  "text-generation": moreProbable,
  "text2text-generation": moreProbable,
};

function moreProbable({ base: [before], answers: [{ tokenLogProbs, logProb }] }) {
  assert.ok(Math.abs(tokenLogProbs.reduce((sum, one) => sum + one) - logProb) < 1e-4);
  assert.ok(logProb > before.logProb, `${before.logProb} became ${logProb}`);
}

for (const worker of [true, false]) {
  test(`conversations are written, scored and chosen for, ${worker ? "in a worker" : "without a worker"}`, async (t) => {
    const { page } = await open(t, plainPage(), { file: "plain.html" });
    const found = await page.evaluate(
      async ([source, chat, worker]) => {
        const model = await ia3.Model.fromPretrained(source, { task: "text-generation", baseUrl: "/hub", device: "wasm", worker });
        const [prompt, continuation] = [chat.slice(0, 1), "not good"];
        const text = await model.applyChatTemplate(prompt, { addGenerationPrompt: true });
        const [asChat, asText] = await model.score([{ prompt, continuation }, { prompt: "a dog was", continuation }]);
        const [chosen] = await model.choose({ input: prompt, choices: ["good", "bad"] });
        return { text, asChat, asText, chosen, error: await job.caught(ia3, model.evaluate([{ messages: [] }])) };
      },
      [TINY.decoder, CHAT, worker],
    );
    assert.equal(found.text, "[CLS] a dog was [SEP]\n");
    // The tokenizer puts the same tokens around a text.
    assert.equal(found.asChat.tokenLogProbs.length, found.asText.tokenLogProbs.length);
    assert.ok(Math.abs(found.asChat.logProb - found.asText.logProb) < 1e-4, `${found.asChat.logProb} ${found.asText.logProb}`);
    assert.ok(["good", "bad"].includes(found.chosen.choice));
    assert.equal(found.error.code, "bad-option");
  });
}
