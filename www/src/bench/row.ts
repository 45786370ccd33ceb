/** A row of the benchmark: one piece of work of one library on one device. */

import type { ActivationDtype, Device } from "ia3-web";
import type { Figures } from "./stopwatch.js";

/** What is measured: a product of matrices, a pass through the encoder, a training step, and that step op by op. */
export const KINDS = ["matmul", "encoder-forward", "encoder-train", "ops"] as const;
export type Kind = (typeof KINDS)[number];

/** Texts in a batch, and tokens in each. */
export interface Shape {
  batchSize: number;
  maxLength: number;
}

/** Where a piece of work runs, and in which format activations are kept there. */
export interface Place {
  device: Device;
  activationDtype: ActivationDtype;
}

/** What is measured in a place: with activations of 16 bits only what has any, and whose time is compared. */
export function kindsIn({ activationDtype }: Place, kinds: readonly Kind[]): Kind[] {
  return kinds.filter((kind) => activationDtype === "f32" || kind.startsWith("encoder"));
}

/** Figures and whose they are. */
export interface Row extends Figures {
  name: string;
  library: string;
  device: Device;
  /** What the model says it holds besides its weights; null where that is not known. */
  activationBytes: number | null;
  /** WebAssembly's memory, which never shrinks; null where it is not known. */
  wasmBytes: number | null;
}

/** The part of what a model says it holds that a row has. */
export type Held = Pick<Row, "activationBytes" | "wasmBytes">;

/** The name of an encoder's row, such as `encoder-train-8x64`. */
export function encoderName(kind: Kind, { batchSize, maxLength }: Shape): string {
  return `${kind}-${batchSize}x${maxLength}`;
}

/** This library with activations of 32 bits, which others and it itself with those of 16 are compared with. */
export const OURS = "ia3-web";

/** A row of this library. */
export function ownRow(name: string, { device, activationDtype }: Place, figures: Figures, held: Held = { activationBytes: null, wasmBytes: null }): Row {
  return { name, library: activationDtype === "f32" ? OURS : `${OURS}-${activationDtype}`, device, ...figures, ...held };
}
