// The boundary to the module with threads: what it has beside all that `ia3_web.d.ts` describes. Keep it in step with src/web/threads.rs.

import { Session as Alone } from "./ia3_web.js";

export * from "./ia3_web.js";
export { default } from "./ia3_web.js";

/** Starts an instance on the memory of another, in a helper. */
export function initSync(input: { module: WebAssembly.Module; memory: WebAssembly.Memory }): unknown;

/** What one worker needs to become a helper. */
export interface Invitation {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  /** Address of the word that is raised by one when a trap has cut `help` off. */
  lost: number;
  /** What `help` is called with; it serves once. */
  pool: number;
}

/** Where an engine posts work, and its helpers find it. */
export class Threads {
  invitation(): Invitation;
  free(): void;
}

/** Helps for as long as the engine is there: it does not return. */
export function help(pool: number): void;

/** A session that can share its work. */
export class Session extends Alone {
  useThreads(threads: Threads, helpers: number): void;
}
