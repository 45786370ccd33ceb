// Generating text in a real browser: a tiny model on both devices, and a real one in the blocks of its file.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fixture, plainPage } from "./package.mjs";
import { open, place, SMOLLM2, TINY } from "./site.mjs";

test("both devices write the same, one by one and in a batch with an adapter for each row", async (t) => {
  const { page } = await open(t, plainPage(), { file: "plain.html" });
  const found = await page.evaluate(
    async ([source]) => {
      const results = [];
      for (const device of ["wasm", "webgpu"]) {
        const model = await ia3.Model.fromPretrained(source, { task: "text-generation", device, baseUrl: "/hub", ggufFile: "chat.gguf", warmUp: false });
        await model.addAdapter("drawn", { init: { normal: 0.5 }, seed: 3 });
        const prompts = [[{ role: "user", content: "hello" }], "the cat was"];
        const options = { maxNewTokens: 8 };
        const alone = [];
        for (const [at, prompt] of prompts.entries()) {
          const generation = model.generate(prompt, { ...options, adapter: [null, "drawn"][at] });
          let text = "";
          for await (const token of generation) text += token.text;
          const whole = await generation;
          if (whole.text !== text) throw new Error(`${text} is not ${whole.text}`);
          alone.push(whole);
        }
        const batch = await model.generate(prompts, { ...options, adapter: [null, "drawn"] });
        const drawn = await model.generate(prompts[0], { maxNewTokens: 4, temperature: 1, topK: 20, seed: 5 });
        results.push({ alone, batch, drawn });
        model.dispose();
      }
      return results;
    },
    [TINY.gguf],
  );
  const [wasm, webgpu] = found;
  assert.deepEqual(wasm.alone, wasm.batch);
  assert.deepEqual(webgpu, wasm);
  assert.ok(wasm.alone.every(({ tokenIds, finishReason }) => tokenIds.length > 0 && ["stop", "length"].includes(finishReason)));
});

/** What transformers and PEFT write with a T5 1.1: some prompts, each with the base and with two adapters. */
const REWRITTEN = JSON.parse(fixture("text2text/t5-gated/written.json")).endless;
const SAVED = Object.fromEntries(
  ["first", "second"].map((name) => {
    const contents = ["adapter_config.json", "adapter_model.safetensors"].map((file) => [file, fixture(`text2text/t5-gated/${name}/${file}`).toString("base64")]);
    return [name, Object.fromEntries(contents)];
  }),
);

test("an encoder-decoder model writes on both devices what it writes in transformers", async (t) => {
  const { page } = await open(t, plainPage(), { file: "plain.html" });
  const found = await page.evaluate(
    async ([folder, saved, rows]) => {
      const fetched = async (file) => new Uint8Array(await (await fetch(folder + file)).arrayBuffer());
      const config = JSON.parse(new TextDecoder().decode(await fetched("config.json")));
      const files = {
        "config.json": new TextEncoder().encode(JSON.stringify({ ...config, eos_token_id: null })),
        "tokenizer.json": await fetched("tokenizer.json"),
        "model.safetensors": await fetched("model.safetensors"),
      };
      const decoded = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      const results = [];
      for (const device of ["wasm", "webgpu"]) {
        const model = await ia3.Model.fromPretrained(files, { task: "text2text-generation", device, warmUp: false });
        for (const [name, contents] of Object.entries(saved)) {
          await model.loadAdapter(name, Object.fromEntries(Object.entries(contents).map(([file, text]) => [file, decoded(text)])));
        }
        const options = { maxNewTokens: rows[0].ids.length, adapter: rows.map(({ adapter }) => adapter) };
        results.push(await model.generate(rows.map(({ prompt }) => prompt), options));
        model.dispose();
      }
      return results;
    },
    [place(TINY.gated), SAVED, REWRITTEN],
  );
  const expected = REWRITTEN.map(({ ids, prompt_ids }) => ({ tokenIds: ids, promptTokens: prompt_ids.length }));
  for (const written of found) assert.deepEqual(written.map(({ tokenIds, promptTokens }) => ({ tokenIds, promptTokens })), expected);
});

const WRITTEN = JSON.parse(fixture("generation/smollm2.json")).rows;
/** Rows of it: a tale and a chat by themselves, and a batch whose rows end at different times. */
const RUNS = [[1], [6], [0, 2, 7]].map((rows) => rows.map((at) => WRITTEN[at]));

// transformers had the floats that the blocks stand for. The native tests compare in floats; here Q4_1 is what is multiplied.
test("SmolLM2 writes from its blocks what it writes in transformers", async (t) => {
  const { page } = await open(t, plainPage(), { file: "plain.html" });
  const found = await page.evaluate(
    async ([{ id, file }, runs]) => {
      const options = { task: "text-generation", device: "wasm", baseUrl: "/hub", ggufFile: file, cache: false };
      const model = await ia3.Model.fromPretrained(id, options);
      const { weightBytes } = model.memory();
      const results = [];
      for (const prompts of runs) results.push(...(await model.generate(prompts, { maxNewTokens: 64 })));
      model.dispose();
      return { weightBytes, results };
    },
    [SMOLLM2, RUNS.map((rows) => rows.map(({ prompt }) => prompt))],
  );
  assert.ok(found.weightBytes < 100e6, `${found.weightBytes} bytes are no blocks of four bits`);
  const expected = RUNS.flat().map(({ prompt_ids, ids, text }) =>
    ({ promptTokens: prompt_ids.length, tokenIds: ids, text, finishReason: ids.length < 64 ? "stop" : "length" }));
  assert.deepEqual(found.results, expected);
});
