/** A row of the benchmark: one piece of work of one library on one device. */

import type { Device } from "ia3-web";
import type { Figures } from "./stopwatch.js";

/** What is measured: a product of matrices, a pass through the encoder, a training step, and that step op by op. */
export const KINDS = ["matmul", "encoder-forward", "encoder-train", "ops"] as const;
export type Kind = (typeof KINDS)[number];

/** Texts in a batch, and tokens in each. */
export interface Shape {
  batchSize: number;
  maxLength: number;
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

/** A row of this library. */
export function ownRow(name: string, device: Device, figures: Figures, held: Held = { activationBytes: null, wasmBytes: null }): Row {
  return { name, library: "ia3-web", device, ...figures, ...held };
}
