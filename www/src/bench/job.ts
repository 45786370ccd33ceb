/** One thing to measure: where, within which limits, and how to hear of it. */

import type { Kind, Place, Shape } from "./row.js";
import type { Limits } from "./stopwatch.js";

/** What a person or a script asked for. */
export interface Request {
  places: Place[];
  kinds: Kind[];
  shape: Shape;
  limits: Limits;
  /** Hub id or address of a folder. */
  model: string;
  /** The Hub's address; empty for Hugging Face. */
  baseUrl: string;
}

/** The request's part for one place. */
export interface Job extends Place {
  kinds: Kind[];
  shape: Shape;
  limits: Limits;
  signal: AbortSignal;
  /** Tells the person what goes on. */
  say: (text: string) => void;
}

/** Lets the page draw and take in a press of Stop, which WebAssembly's work in the page's own thread does not. */
export async function breathe(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
  signal.throwIfAborted();
}
