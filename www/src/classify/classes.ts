/** What the page classifies: labelled examples, and adapters that know labels. */

import type { SavedAdapter, State } from "../state.js";

/** A text or pair of texts with its label. */
export interface Example {
  text: string;
  textPair?: string;
  label: string;
}

/** How the head reads the encoder: `mean` of the tokens, or transformers' `pooler`. */
export type Pooling = "mean" | "pooler";

/** What an answer needs: the label names, in the order of the head's rows, and how the head reads the encoder. */
export interface Classes {
  labels: string[];
  pooling: Pooling;
}

/** An adapter with its head. */
export interface Classifier extends SavedAdapter, Classes {}

/** What the page knows. */
export type ClassifierState = State<Example, Classifier>;

/** The labels of examples, sorted, so that the order of the examples does not matter. */
export function labelsOf(examples: Example[]): string[] {
  return [...new Set(examples.map((example) => example.label))].sort();
}

/** What training on these examples needs. */
export function classesOf(examples: Example[]): Classes {
  return { labels: labelsOf(examples), pooling: "mean" };
}
