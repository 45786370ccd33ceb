// What a user of the package does from beginning to end. It asserts nothing: what it returns is checked outside the browser.

export const LABELS = ["animal", "praise", "blame"];

export const EXAMPLES = [
  { text: "the cat", label: "animal" },
  { text: "a dog and the cat", label: "animal" },
  { text: "the horse", textPair: "a cat", label: "animal" },
  { text: "good", label: "praise" },
  { text: "very good!", label: "praise" },
  { text: "a good one", textPair: "the best", label: "praise" },
  { text: "bad", label: "blame" },
  { text: "the worst, bad", label: "blame" },
  { text: "not good", textPair: "bad", label: "blame" },
];

export const TEXTS = ["the cat was good", { text: "bad", textPair: "not the best" }, "a horse walks, not a cat"];

const TRAINING = { steps: 6, batchSize: 6, learningRate: 2e-2, schedule: "constant", objective: "cross-entropy" };

const round = (answers) =>
  answers.map(({ scores, ...answer }) => ({ ...answer, scores: LABELS.map((label) => scores[label]) }));

/** Bytes as a string that leaves the browser cheaply. */
export function base64(bytes) {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

/** The bytes of such a string. */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

const portable = (files) => Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, base64(bytes)]));

const fileOf = async (url) => new Uint8Array(await (await fetch(url)).arrayBuffer());

/** Loads, trains two adapters, asks in every way, saves, loads again and merges. `folder` is the base model's address. */
export async function wholeJob({ Model, zipAdapter }, source, folder, options) {
  const progress = [];
  const settings = { labels: LABELS, cache: false, warmUp: { batchSize: 6, maxLength: 16 }, ...options };
  const model = await Model.fromPretrained(source, { ...settings, onProgress: (event) => progress.push(event.status) });
  const ask = async (choice) => round(await model.classify(TEXTS, choice));
  const embed = async (choice) => (await model.embed(TEXTS, choice)).map((vector) => [...vector]);

  await model.addAdapter("one");
  await model.addAdapter("two", { targetModules: ["query", "value"], feedforwardModules: [] });
  const events = [];
  const run = model.train("one", EXAMPLES, { ...TRAINING, validation: EXAMPLES.slice(0, 6), evalEvery: 3 });
  for await (const event of run) events.push(event);
  const result = await run;
  await model.train("two", EXAMPLES.slice(3), TRAINING);

  const answers = { base: await ask({ adapter: null }), one: await ask({ adapter: "one" }), two: await ask({ adapter: "two" }) };
  answers.active = await ask();
  model.setAdapter("two");
  answers.switched = await ask();
  model.setAdapter(["one", "two"]);
  answers.both = await ask();
  model.setAdapter("one");
  answers.rows = await ask({ adapter: ["two", null, "one"] });

  const files = await model.saveAdapter("one");
  await model.loadAdapter("files", files);
  await model.loadAdapter("zip", zipAdapter(files));
  await model.loadAdapter("blob", new Blob([zipAdapter(files)]));
  answers.files = await ask({ adapter: "files" });
  answers.zip = await ask({ adapter: "zip" });
  answers.blob = await ask({ adapter: "blob" });
  await model.combineAdapters("same", ["one"], { weights: [1] });
  await model.combineAdapters("half", ["one", "two"]);
  answers.same = await ask({ adapter: "same" });
  answers.half = await ask({ adapter: "half" });

  const embeddings = { base: await embed({ adapter: null }), one: await embed({ adapter: "one" }) };
  const stream = await model.mergeAdapter("one");
  const merged = new Uint8Array(await new Response(stream).arrayBuffer());
  const mergedFiles = {
    "config.json": await fileOf(`${folder}config.json`),
    "tokenizer.json": await fileOf(`${folder}tokenizer.json`),
    "model.safetensors": merged,
  };
  const fresh = await Model.fromPretrained(mergedFiles, settings);
  embeddings.merged = (await fresh.embed(TEXTS)).map((vector) => [...vector]);
  // With pooling "mean" the head is no part of the base: the merged model's answers are the embeddings.
  if (options.pooling === "pooler") answers.merged = round(await fresh.classify(TEXTS));
  fresh.dispose();

  const evaluation = await model.evaluate(EXAMPLES, { adapter: "one" });
  await model.deleteAdapter("half");
  const found = {
    device: model.device,
    progress,
    events,
    result,
    answers,
    embeddings,
    evaluation,
    mergedBytes: { announced: stream.size, received: merged.length },
    adapters: model.adapters,
    trainable: model.trainableParameters("one"),
    memory: model.memory(),
    saved: { one: portable(files), two: portable(await model.saveAdapter("two")) },
  };
  model.dispose();
  return found;
}

/** The losses of a run on MiniLM that starts from an adapter's files. */
export async function lossCurve({ Model }, source, files, { examples, labels, steps, ...options }) {
  const model = await Model.fromPretrained(source, { labels, pooling: "pooler", cache: false, warmUp: false, ...options });
  const bytes = Object.fromEntries(Object.entries(files).map(([name, text]) => [name, fromBase64(text)]));
  await model.loadAdapter("start", bytes);
  const { losses } = await model.train("start", examples, {
    steps,
    batchSize: examples.length,
    objective: "cross-entropy",
    learningRate: 3e-3,
    headLearningRate: 3e-3,
    schedule: "constant",
    warmupRatio: 0,
    maxGradNorm: 0,
    weightDecay: 0,
  });
  const answers = await model.classify(examples.map(({ text }) => text), { adapter: "start" });
  const found = {
    losses,
    device: model.device,
    scores: answers.map(({ scores }) => labels.map((label) => scores[label])),
    files: portable(await model.saveAdapter("start")),
  };
  model.dispose();
  return found;
}

/** An untrained adapter of a model, as files. */
export async function freshAdapter({ Model }, source, options) {
  const model = await Model.fromPretrained(source, { cache: false, warmUp: false, device: "wasm", ...options });
  await model.addAdapter("fresh");
  const files = portable(await model.saveAdapter("fresh"));
  model.dispose();
  return files;
}

/** What a promise rejects with, as plain data; a promise that does not reject is told apart by its code `none`. */
export async function caught({ Ia3Error }, promise) {
  try {
    await promise;
    return { code: "none" };
  } catch (error) {
    const { name, code, message, details } = error;
    return { ours: error instanceof Ia3Error, name, code, message, details };
  }
}
