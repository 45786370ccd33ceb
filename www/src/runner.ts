/** Runs one long task of the page at a time and shows its error, so that no panel has to. */

import { hideError, showError } from "./error-banner.js";
import type { Task } from "./state.js";

/** The part of the page's state that says what it is busy with. */
export interface Busy {
  readonly data: { readonly busy: Task | undefined };
  update(change: { busy: Task | undefined }): void;
}

/** One task at a time, with one way to stop it. */
export class Runner {
  #abort: AbortController | undefined;

  constructor(readonly state: Busy) {}

  /**
   * Runs `work` unless the page is busy. An abort by `stop` is no error; anything else goes to the banner under `title`.
   * Returns whether `work` came to its end.
   */
  async run(task: Task, title: string, work: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
    if (this.state.data.busy) return false;
    const abort = new AbortController();
    this.#abort = abort;
    this.state.update({ busy: task });
    hideError();
    try {
      await work(abort.signal);
      return true;
    } catch (error) {
      if (!abort.signal.aborted) showError(title, error);
      return false;
    } finally {
      this.state.update({ busy: undefined });
    }
  }

  /** Asks the running task to stop at its next step. */
  stop(): void {
    this.#abort?.abort();
  }
}
