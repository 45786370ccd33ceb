// The package in Dawn, the WebGPU of Chromium, by its build for Node: `node dawn.mjs JOB` trains a tiny model and answers with it, and prints as
// JSON what the model says of its device and which ops had kernels in 16 bits, or the error.
//
// The device is Dawn's null device, which has every feature and runs nothing: it says nothing of results, but compiles and checks everything as a
// page's would. A process of its own, because one that has opened Dawn does not end by itself.

import { readFile } from "node:fs/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { create, globals } from "webgpu";
import { folders } from "../../pkg-scripts/folders.mjs";

const EXAMPLES = {
  "text-classification": [{ text: "the cat", label: "good" }, { text: "the worst", label: "bad" }],
  "text-generation": [{ prompt: "the cat", completion: "good" }, { text: "the worst, bad" }],
  "text2text-generation": [{ input: "the cat", output: "good" }],
};

const file = (name) => readFile(fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url)));

// As in a page. The package's own files come by file: URL, which Node does not fetch.
const navigator = { gpu: create(["backend=null"]), hardwareConcurrency: 2 };
const fetch = async (url) => new Response(await readFile(fileURLToPath(url)), { headers: { "content-type": "application/wasm" } });
for (const [name, value] of Object.entries({ ...globals, navigator, Window: Object, fetch })) {
  Object.defineProperty(globalThis, name, { value, configurable: true });
}

// What nothing has computed is what lay in memory: so that every run is the same, zeros.
const { getMappedRange } = GPUBuffer.prototype;
GPUBuffer.prototype.getMappedRange = function (...range) {
  const found = getMappedRange.apply(this, range);
  new Uint8Array(found).fill(0);
  return found;
};

/** The files of a family's tiny model, with as many words as it has. */
async function familyFiles(family) {
  const config = await file(`families/${family}/config.json`);
  const tokenizer = JSON.parse(await file("tiny-bert/tokenizer.json"));
  const words = Object.entries(tokenizer.model.vocab).filter(([, id]) => id < JSON.parse(config).vocab_size);
  tokenizer.model.vocab = Object.fromEntries(words);
  const weights = await file(`families/${family}/model.safetensors`);
  return { "config.json": new Blob([config]), "tokenizer.json": new Blob([JSON.stringify(tokenizer)]), "model.safetensors": new Blob([weights]) };
}

/** Notes the ops of kernels in 16 bits; `spoil` makes them what WGSL does not know. */
function watchKernels(spoil) {
  const found = new Set();
  const { createShaderModule } = GPUDevice.prototype;
  GPUDevice.prototype.createShaderModule = function ({ label, code }) {
    if (code.startsWith("enable f16;")) found.add(label.match(/^\w+/)[0]);
    return createShaderModule.call(this, { label, code: spoil ? code.replace("array<f16>", "array<f17>") : code });
  };
  return found;
}

/** Loads a model, takes training steps, and generates or classifies. */
async function use({ family, gguf, task, options, spoil }) {
  const half = watchKernels(spoil);
  const { Model } = await import(pathToFileURL(`${folders().pkg}/index.js`).href);
  const source = gguf ? { [gguf]: new Blob([await file(`gguf/${gguf}`)]) } : await familyFiles(family);
  const labels = task === "text-classification" ? ["good", "bad"] : [];
  const model = await Model.fromPretrained(source, { task, labels, device: "webgpu", worker: false, cache: false, warmUp: false, ...options });
  await model.addAdapter("learned", { targetModules: "paper" });
  for (const activationCheckpointing of [false, true]) {
    await model.train("learned", EXAMPLES[task], { steps: 1, activationCheckpointing });
  }
  if (labels.length > 0) await model.classify("the cat");
  else for await (const _ of model.generate("the cat", { maxNewTokens: 2 })) continue;
  return { activationDtype: model.deviceInfo.activationDtype, half: [...half] };
}

const found = await use(JSON.parse(process.argv[2])).catch(({ name, code, message }) => ({ error: { name, code, message } }));
process.stdout.write(JSON.stringify(found), () => process.exit());
