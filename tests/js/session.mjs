// A session that only pretends: no arithmetic, but the same calls, answers and errors as the WebAssembly one.

/** An error as the WebAssembly module throws it. */
export function wasmError(code, details = {}) {
  return Object.assign(new Error(`a message for ${code}`), { code, details });
}

/** What a Rust panic looks like. */
export const panic = () => new WebAssembly.RuntimeError("unreachable");

const encoder = new TextEncoder();

export class FakeSession {
  #faults;
  #busy = false;
  adapters = new Map();
  /** The file that an adapter has beside PEFT's. */
  own = new Map();
  fed = [];
  calls = [];
  freed = false;
  run = null;
  generation = null;

  /** `faults` maps a method to a list of what its next calls do: an error to throw, or anything else for a call that succeeds. */
  constructor(faults, config, tokenizer, options) {
    this.#faults = faults;
    faults.sessions?.push(this);
    this.options = options;
    this.#enter("create", config, tokenizer, options);
  }

  // Like wasm-bindgen, a session refuses a call while another is under way.
  #enter(method, ...args) {
    if (this.#busy) throw new Error("recursive use of an object detected");
    this.calls.push([method, ...args]);
    const fault = this.#faults[method]?.shift();
    if (fault instanceof Error) throw fault;
  }

  async #slow(method, args, answer) {
    this.#enter(method, ...args);
    this.#busy = true;
    await new Promise((resolve) => setTimeout(resolve, this.#faults.delay ?? 0));
    this.#busy = false;
    return answer();
  }

  openDevice(device) {
    const chosen = device === "auto" ? (this.#faults.auto ?? "wasm") : device;
    return this.#slow("openDevice", [device], () => ({
      device: chosen, reason: "a test", vendor: "", architecture: "", description: "", isFallbackAdapter: false, activationDtype: "f32", limits: {},
    }));
  }
  beginWeights() {
    this.#enter("beginWeights");
    this.fed = [];
  }
  beginFile(file, length, sha256) {
    this.#enter("beginFile", file, length, sha256);
  }
  feedWeights(chunk) {
    this.#enter("feedWeights", chunk.length);
    this.fed.push(Buffer.from(chunk));
  }
  finishWeights() {
    return this.#slow("finishWeights", [], () => undefined);
  }
  warmUp(batchSize, maxLength, progress) {
    return this.#slow("warmUp", [batchSize, maxLength], () => progress(1, 4));
  }
  addAdapter(name, options, from) {
    this.#enter("addAdapter", name, options, ...(from === undefined ? [] : [from]));
    this.#new(name, "fresh");
    if (options.shift) this.own.set(name, "ia3_shift.safetensors");
    if (options.perHead) this.own.set(name, "ia3_options.json");
  }
  loadAdapter(name, files) {
    this.#enter("loadAdapter", name, files);
    this.#new(name, Buffer.from(files["adapter_model.safetensors"]).toString());
    return files["odd"] ? ["odd is not needed"] : [];
  }
  combineAdapters(name, sources, options) {
    this.#enter("combineAdapters", name, sources, options);
    this.#new(name, sources.map((from) => this.#adapter(from)).join("+"));
  }
  deleteAdapter(name) {
    this.#enter("deleteAdapter", name);
    this.#adapter(name);
    this.adapters.delete(name);
  }
  saveAdapter(name) {
    this.#enter("saveAdapter", name);
    const own = this.own.has(name) ? { [this.own.get(name)]: encoder.encode("own") } : {};
    return { "adapter_config.json": encoder.encode("{}"), "adapter_model.safetensors": encoder.encode(this.#adapter(name)), ...own };
  }
  trainableParameters(name) {
    this.#adapter(name);
    return { trainable: 14, total: 1400, percentage: 1 };
  }
  classify(inputs, adapter, options) {
    const used = "rows" in adapter ? adapter.rows : inputs.map(() => adapter.active.join("*"));
    used.filter(Boolean).flatMap((names) => names.split("*")).forEach((name) => this.#adapter(name));
    return this.#slow("classify", [inputs, adapter, options], () =>
      inputs.map(({ text }, row) => ({ label: used[row] || "base", score: 1, scores: { [text]: 1 }, truncated: text.length > 20 })));
  }
  choose(rows, adapter, options) {
    return this.#slow("choose", [rows, adapter, options], () =>
      rows.map(({ choices, template }) => ({ choice: (choices ?? Object.keys(template.choices))[0], scores: {}, truncated: false })));
  }
  score(rows, adapter, options) {
    return this.#slow("score", [rows, adapter, options], () => rows.map(() => ({ tokenLogProbs: [-1], logProb: -1, isGreedy: true, truncated: false })));
  }
  embed(inputs, adapter, options) {
    return this.#slow("embed", [inputs, adapter, options], () => ({
      embeddings: Float32Array.from(inputs.flatMap(({ text }) => [text.length, -text.length])),
      hidden: 2,
      truncated: inputs.map(({ text }) => text.length > 20),
    }));
  }
  evaluate(examples, adapter, options) {
    return this.#slow("evaluate", [examples, adapter, options], () => ({ accuracy: 1, macroF1: 1, loss: 0, confusion: [[examples.length]] }));
  }
  beginTraining(name, examples, options) {
    return this.#slow("beginTraining", [name, examples, options], () => {
      this.#adapter(name);
      if (this.run) throw wasmError("busy");
      this.run = { name, steps: options.steps ?? 3, step: 0, losses: [] };
      return { totalSteps: this.run.steps, objective: "cross-entropy" };
    });
  }
  trainStep() {
    return this.#slow("trainStep", [], () => {
      const { run } = this;
      run.losses.push(1 / ++run.step);
      const step = { type: "step", step: run.step, totalSteps: run.steps, loss: 1 / run.step, learningRate: 1, gradNorm: 1, ms: 1, etaMs: 1 };
      if (this.#faults.divergeAt === run.step) return [step, { type: "end", reason: (run.reason = "diverged") }];
      return run.step < run.steps ? [step] : [step, { type: "end", reason: "completed" }];
    });
  }
  endTraining(reason) {
    return this.#slow("endTraining", [reason], () => {
      const { name, step, losses, reason: own } = this.run;
      this.run = null;
      this.adapters.set(name, `trained ${step}`);
      return { losses, steps: step, bestStep: step, ms: 1, reason: own ?? reason, objective: "cross-entropy" };
    });
  }
  beginGeneration(prompts, adapter, options) {
    this.#enter("beginGeneration", prompts, adapter, options);
    if (this.generation) throw wasmError("busy");
    this.generation = { ids: prompts.map(() => []), most: options.maxNewTokens ?? 64 };
  }
  nextTokens() {
    return this.#slow("nextTokens", [], () => {
      const { ids, most } = this.generation;
      const token = (row) => {
        const id = ids[row].length;
        ids[row].push(id);
        return { row, id, text: String(id), ...(id + 1 === most && { finishReason: "length" }) };
      };
      return ids[0].length < most ? ids.map((_, row) => token(row)) : [];
    });
  }
  endGeneration() {
    this.#enter("endGeneration");
    const { ids, most } = this.generation;
    this.generation = null;
    return ids.map((tokenIds) => ({ text: tokenIds.join(""), tokenIds, finishReason: tokenIds.length < most ? "aborted" : "length", promptTokens: 3 }));
  }
  beginMerge(name, options) {
    this.#enter("beginMerge", name, options);
    this.merge = ["one", "two", "six"].map((part) => encoder.encode(part));
    return { totalBytes: 9, format: options.format ?? "safetensors" };
  }
  nextMerged() {
    return this.#slow("nextMerged", [], () => this.merge.shift());
  }
  memory() {
    if (this.#busy) throw new Error("recursive use of an object detected");
    return { weightBytes: 100, activationBytes: 10, adapterBytes: this.adapters.size, wasmBytes: 1000, gpuBytes: 0, programs: 1 };
  }
  planText(...args) {
    return `plan of ${args.join(" ")}`;
  }
  dispose() {
    this.#enter("dispose");
  }
  free() {
    this.freed = true;
  }

  #new(name, contents) {
    if (this.adapters.has(name)) throw wasmError("adapter-exists", { adapter: name });
    this.adapters.set(name, contents);
  }
  #adapter(name) {
    if (!this.adapters.has(name)) throw wasmError("unknown-adapter", { adapter: name });
    return this.adapters.get(name);
  }
}
