/** The one place where errors are shown: what was being done, and the error's own words. */

import { need } from "./dom.js";
import { sentence } from "./format.js";

const banner = need("error", HTMLDivElement);

/** Starts the dismiss button. */
export function startErrorBanner(): void {
  need("error-close", HTMLButtonElement).addEventListener("click", hideError);
}

/** Shows an error under a title such as "Training stopped". Errors of the library carry a code, shown after the message. */
export function showError(title: string, error: unknown): void {
  const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
  const message = sentence(error instanceof Error ? error.message : String(error));
  need("error-title", HTMLParagraphElement).textContent = title;
  need("error-text", HTMLParagraphElement).textContent = `${message}${code}`;
  banner.hidden = false;
}

/** Whether an error is in sight. */
export function errorShown(): boolean {
  return !banner.hidden;
}

/** Takes the error out of sight. */
export function hideError(): void {
  banner.hidden = true;
}
