// The package's entry: re-exports only. Importing it touches nothing of the browser, so that servers can.

export { ERROR_CODES, Ia3Error, type ErrorCode, type ErrorDetails } from "./errors.js";
export { Generation } from "./generation.js";
export { Model } from "./model.js";
export { TrainingRun } from "./training-run.js";
export { zipAdapter } from "./zip.js";
export type * from "./types.js";
