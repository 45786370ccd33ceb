/** How the page's shared panels load, train and take in classifiers. */

import type { AdapterKind } from "../adapters-panel.js";
import type { ModelKind } from "../device-panel.js";
import { count } from "../format.js";
import type { TrainJob } from "../train-panel.js";
import { describe } from "./adapter-head.js";
import { type Classes, type Classifier, type ClassifierState, classesOf, labelsOf } from "./classes.js";

/** Encoders; with fewer than two labels they only embed. */
export function classifierModel(state: ClassifierState): ModelKind<Classes> {
  return {
    load: ({ labels, pooling }) => ({ pooling, ...(labels.length > 1 ? { task: "text-classification", labels } : { task: "feature-extraction" }) }),
    needs: () => classesOf(state.data.train),
    estimate: {},
    files: "model.safetensors, config.json and tokenizer.json",
    originals: {},
  };
}

/** Training on labelled examples, with the library's own defaults. */
export function classifierJob(state: ClassifierState): TrainJob<Classes, Classifier> {
  const classes = () => classesOf(state.data.train);
  return {
    check: (name) => refuseEarly(state, name),
    needs: classes,
    examples: () => state.data.train,
    options: {},
    adapter: (saved) => ({ ...saved, ...classes() }),
  };
}

/** Adapters with the labels that they answer with. */
export function classifierAdapters(state: ClassifierState): AdapterKind<Classifier> {
  return {
    adapter: (saved) => {
      const { pooling, labels } = describe(saved.files);
      return { ...saved, pooling, labels: namesOf(labels, labelsOf(state.data.train)) };
    },
    facts: ({ labels }) => [count(labels.length, "label")],
  };
}

function refuseEarly(state: ClassifierState, name: string): void {
  const labels = labelsOf(state.data.train);
  if (labels.length === 0) throw new Error("There are no training examples yet. Load the sample task or add your own.");
  if (labels.length === 1) throw new Error(`All training examples have the label "${labels[0]}". Add examples of at least one other label.`);
  const known = state.find(name);
  if (known && (known.pooling !== "mean" || known.labels.join("\n") !== labels.join("\n"))) {
    throw new Error(`The adapter "${name}" knows other labels (${known.labels.join(", ")}). Choose another name to train a new one.`);
  }
}

/** The labels of an adapter that was taken in: its own, else the examples' if they are as many, else LABEL_0 and so on as transformers calls them. */
function namesOf(found: string[] | number | undefined, examples: string[]): string[] {
  if (Array.isArray(found)) return [...found].sort(); // as the examples' are; the library puts the head's rows in order
  if (found === undefined || found === examples.length) {
    if (examples.length > 0) return examples;
    throw new Error("The adapter's files do not say which labels it has. Load or add your examples first, then drop it again.");
  }
  return Array.from({ length: found }, (_, index) => `LABEL_${index}`);
}
