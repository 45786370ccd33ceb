// Generating text in a real browser, on both devices.

import assert from "node:assert/strict";
import { test } from "node:test";
import { plainPage } from "./package.mjs";
import { open, TINY } from "./site.mjs";

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
