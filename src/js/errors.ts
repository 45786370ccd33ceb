// The one error type of the package, its stable codes, and how errors cross threads and the WebAssembly boundary.

/** Every `code` an `Ia3Error` can have. Codes are part of the API: they are never renamed or reused. */
export const ERROR_CODES = [
  "file-unreachable",
  "file-truncated",
  "file-length",
  "file-hash",
  "not-safetensors",
  "not-gguf",
  "tensor-missing",
  "tensor-shape",
  "tensor-dtype",
  "bad-config",
  "bad-tokenizer",
  "unsupported-model",
  "unknown-adapter",
  "adapter-exists",
  "unknown-label",
  "empty-training-set",
  "single-class",
  "no-target-match",
  "bad-adapter",
  "not-foldable",
  "adapter-mismatch",
  "bad-example",
  "empty-text",
  "bad-option",
  "diverged",
  "webgpu-unavailable",
  "out-of-memory",
  "device-lost",
  "aborted",
  "disposed",
  "panic",
  "no-head",
  "busy",
  "not-ready",
  "no-chat-template",
  "chat-template-failed",
  "internal",
] as const;

/** A stable name of what went wrong. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** Facts about an error (names, shapes, limits), by code. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/** Every error of this package: `code` says what happened, `message` what to do about it. */
export class Ia3Error extends Error {
  override readonly name = "Ia3Error";
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.details = details;
  }
}

/** An error as plain data, for a message between threads: an `Error` object would arrive without `code` and `details`. */
export interface ErrorData {
  code: ErrorCode;
  message: string;
  details: ErrorDetails;
}

/** Any thrown value as an `Ia3Error`: errors of the WebAssembly module carry `code` and `details`, a trap is a panic. */
export function toIa3Error(thrown: unknown): Ia3Error {
  if (thrown instanceof Ia3Error) return thrown;
  if (isTrap(thrown)) return panicError(thrown.message, thrown);
  if (!(thrown instanceof Error)) return new Ia3Error("internal", String(thrown));
  const { code, details } = thrown as { code?: unknown; details?: unknown };
  if (isErrorCode(code)) return new Ia3Error(code, thrown.message, isObject(details) ? details : {}, { cause: thrown });
  return new Ia3Error(thrown instanceof RangeError ? "out-of-memory" : "internal", thrown.message, {}, { cause: thrown });
}

/** The error of every call that a crash of the engine cuts off. */
export function panicError(message: string, cause?: unknown): Ia3Error {
  const text = `the engine stopped unexpectedly (${message}); adapters are kept, and the next call starts a fresh engine`;
  return new Ia3Error("panic", text, {}, { cause });
}

/** What `toIa3Error` makes of a thrown value, as plain data. */
export function errorData(thrown: unknown): ErrorData {
  const { code, message, details } = toIa3Error(thrown);
  return { code, message, details };
}

/** The error that `errorData` was made from. */
export function fromErrorData({ code, message, details }: ErrorData): Ia3Error {
  return new Ia3Error(code, message, details);
}

/** Whether a value is a WebAssembly trap, which is what a Rust panic looks like from outside. */
export function isTrap(thrown: unknown): thrown is WebAssembly.RuntimeError {
  return typeof WebAssembly !== "undefined" && thrown instanceof WebAssembly.RuntimeError;
}

/** The code of an error, also of one that comes straight from the WebAssembly module. */
export function codeOf(thrown: unknown): ErrorCode {
  return toIa3Error(thrown).code;
}

function isErrorCode(code: unknown): code is ErrorCode {
  return (ERROR_CODES as readonly unknown[]).includes(code);
}

function isObject(value: unknown): value is ErrorDetails {
  return typeof value === "object" && value !== null;
}
