// Models from a GGUF, in a real browser: by URL, by name in a Hub id's folder, and dropped; against the files they were made of.

import assert from "node:assert/strict";
import { test } from "node:test";
import { close } from "./compare.mjs";
import { isError, loadError, openBroken } from "./faults.mjs";
import { fixture, plainPage } from "./package.mjs";
import { open, place, TINY } from "./site.mjs";

const ROWS = [{ prompt: "the cat was", continuation: " good" }, { prompt: "a dog", continuation: " and the worst, not bad" }];
const EXAMPLES = [{ prompt: "the cat was", completion: " good" }, { text: "the worst, bad" }];
const RENDERED = JSON.parse(fixture("chat/chatml/cases.json")).rendered;

test("by its URL it scores and trains as its safetensors does, and its estimate fetches one part of it", async (t) => {
  const ranges = [];
  const arrange = (context) =>
    context.route("**/qwen3.gguf", (route) => {
      ranges.push(route.request().headers()["range"] ?? null);
      return route.continue();
    });
  const { page } = await open(t, plainPage(), { file: "plain.html", arrange });
  const found = await page.evaluate(
    async ([url, twin, rows, examples]) => {
      const options = { task: "text-generation", device: "wasm", baseUrl: "/hub" };
      const estimate = await ia3.Model.estimate(url, options);
      const file = async (name) => (await fetch(twin + name)).blob();
      // The token that ends a text is a setting of the GGUF, which its original lacks.
      const config = { ...JSON.parse(await (await file("config.json")).text()), eos_token_id: 3 };
      const files = { "config.json": new Blob([JSON.stringify(config)]), "tokenizer.json": await file("tokenizer.json"), "model.safetensors": await file("model.safetensors") };
      const results = [];
      for (const source of [url, files]) {
        const model = await ia3.Model.fromPretrained(source, options);
        await model.addAdapter("learned");
        const scores = (await model.score(rows)).map(({ tokenLogProbs }) => tokenLogProbs);
        const { losses } = await model.train("learned", examples, { steps: 3, learningRate: 0.01 });
        const config = JSON.parse(new TextDecoder().decode((await model.saveAdapter("learned"))["adapter_config.json"]));
        results.push({ scores, losses, base: config.base_model_name_or_path });
        model.dispose();
      }
      return { estimate, results };
    },
    [`${place(TINY.gguf)}qwen3.gguf`, place(TINY.qwen3), ROWS, EXAMPLES],
  );
  const [gguf, twin] = found.results;
  close(gguf.scores, twin.scores, 1e-4, "scores");
  close(gguf.losses, twin.losses, 1e-4, "losses");
  assert.equal(gguf.base, null);
  assert.equal(found.estimate.downloadBytes, fixture("gguf/qwen3.gguf").length);
  assert.deepEqual(ranges, ["bytes=0-1048575", null]);
});

test("dropped it embeds as its safetensors does", async (t) => {
  const { page } = await open(t, plainPage(), { file: "plain.html" });
  const [gguf, twin] = await page.evaluate(
    async ([url, twin, texts]) => {
      const file = new File([await (await fetch(url)).blob()], "my bert.gguf");
      const list = new DataTransfer();
      list.items.add(file);
      const found = [];
      for (const source of [list.files, twin]) {
        const model = await ia3.Model.fromPretrained(source, { device: "wasm", baseUrl: "/hub" });
        found.push((await model.embed(texts)).map((vector) => [...vector]));
        model.dispose();
      }
      return found;
    },
    [`${place(TINY.gguf)}bert.gguf`, TINY.tasks, ["the cat was good", "not the worst"]],
  );
  close(gguf, twin, 1e-4, "embeddings");
});

test("named beside a Hub id it is kept for visits without a network, and its chat template writes what transformers writes", async (t) => {
  const { page, server } = await open(t, plainPage(), { file: "plain.html" });
  const load = () =>
    page.evaluate(
      async ([source, cases]) => {
        const cached = [];
        const onProgress = (event) => event.status === "download" && cached.push([event.file, event.cached]);
        const options = { task: "text-generation", device: "wasm", baseUrl: "/hub", ggufFile: "chat.gguf", worker: false, onProgress };
        const model = await ia3.Model.fromPretrained(source, options);
        const texts = [];
        for (const { messages, add_generation_prompt } of cases) {
          texts.push(await model.applyChatTemplate(messages, { addGenerationPrompt: add_generation_prompt }));
        }
        const [{ tokenLogProbs }] = await model.score({ prompt: [{ role: "user", content: "hello" }], continuation: "yes" });
        await model.addAdapter("learned");
        const config = JSON.parse(new TextDecoder().decode((await model.saveAdapter("learned"))["adapter_config.json"]));
        model.dispose();
        return { cached, texts, tokenLogProbs, base: config.base_model_name_or_path };
      },
      [TINY.gguf, RENDERED],
    );
  const first = await load();
  assert.deepEqual(first.texts, RENDERED.map(({ text }) => text));
  assert.ok(first.tokenLogProbs.length > 0 && first.tokenLogProbs.every((value) => value < 0));
  assert.deepEqual([first.cached, first.base], [[["chat.gguf", false]], TINY.gguf]);
  await server.close();
  assert.deepEqual(await load(), { ...first, cached: [["chat.gguf", true]] });
});

const FILE = fixture("gguf/chat.gguf");

/** The file with the first of these words exchanged for one of the same length. */
function other(word, replacement) {
  const text = FILE.toString("latin1");
  assert.ok(text.includes(word) && word.length === replacement.length, word);
  return Buffer.from(text.replace(word, replacement), "latin1");
}

const BROKEN = {
  "that is none": ["not-gguf", /chat\.gguf.*begin with GGUF/, { body: Buffer.alloc(1000) }],
  "that ends in its settings": ["file-truncated", /chat\.gguf ends after 2000 bytes/, { body: FILE.subarray(0, 2000) }],
  "that ends in its tensors": ["file-truncated", /chat\.gguf/, { body: FILE.subarray(0, FILE.length - 1000) }],
  "of an unknown architecture": ["unsupported-model", /mamba.*llama/, { body: other("\0llama", "\0mamba") }],
  "with an unknown tokenizer": ["not-gguf", /chat\.gguf.*spm2/, { body: other("\0gpt2", "\0spm2") }],
  "without a tensor of its model": ["tensor-missing", /'norm\.weight'/, { body: other("output_norm", "output_none") }],
};

for (const [name, [code, message, answer]] of Object.entries(BROKEN)) {
  test(`a file ${name}`, async (t) => {
    const { page } = await openBroken(t, { "chat.gguf": answer });
    isError(await loadError(page, { task: "text-generation", labels: [], ggufFile: "chat.gguf" }, TINY.gguf), code, message);
  });
}
