// Checks of what the caller passed: wrong types and unknown names are refused by name, before anything is started.

import { Ia3Error } from "./errors.js";

/** Says what a value should be, if it is not. */
export type Check = (value: unknown) => string | undefined;

const expect = (what: string, test: (value: unknown) => boolean): Check => (value) => (test(value) ? undefined : what);

const isString = (value: unknown): value is string => typeof value === "string";
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** A string. */
export const text = expect("a string", isString);

/** `true` or `false`. */
export const flag = expect("true or false", (value) => typeof value === "boolean");

/** A finite number. */
export const number = expect("a finite number", Number.isFinite);

/** A whole number from 0. */
export const count = expect("a whole number, 0 or more", isCount);

/** A list of whole numbers from 0. */
export const counts = expect("a list of whole numbers, 0 or more", (value) => Array.isArray(value) && value.every(isCount));

/** A whole number from 1. */
export const positive = expect("a whole number, 1 or more", (value) => isCount(value) && value > 0);

/** A list of strings. */
export const strings = expect("a list of strings", (value) => Array.isArray(value) && value.every(isString));

/** A list of finite numbers. */
export const numbers = expect("a list of numbers", (value) => Array.isArray(value) && value.every(Number.isFinite));

/** Module names or a pattern. */
export const modules = expect("a string (regular expression) or a list of module names", (value) => isString(value) || !strings(value));

/** A function. */
export const callback = expect("a function", (value) => typeof value === "function");

/** An `AbortSignal`. */
export const signal = expect("an AbortSignal", (value) => value instanceof AbortSignal);

/** Files, whole or by name; what they hold is checked elsewhere. */
export const files = expect("files", (value) => typeof value === "object" && value !== null);

/** A list; what it holds is checked elsewhere. */
export const list = expect("a list", Array.isArray);

/** An object that maps names to strings. */
export const stringMap = expect("an object of strings", (value) => isRecord(value) && Object.values(value).every(isString));

/** An object that maps names to finite numbers. */
export const numberMap = expect("an object of numbers", (value) => isRecord(value) && Object.values(value).every(Number.isFinite));

/** One of these values. */
export function oneOf(...values: readonly (string | boolean)[]): Check {
  return expect(`one of ${values.map((value) => JSON.stringify(value)).join(", ")}`, (value) => (values as unknown[]).includes(value));
}

/** Either of two things. */
export function either(first: Check, second: Check): Check {
  return (value) => {
    const [one, other] = [first(value), second(value)];
    return one !== undefined && other !== undefined ? `${one} or ${other}` : undefined;
  };
}

/** An object with these properties, all of them optional. */
export function object(checks: Readonly<Record<string, Check>>): Check {
  return (value) => {
    if (!isRecord(value)) return "an object";
    return Object.keys(value).every((key) => Object.hasOwn(checks, key) && (value[key] === undefined || !checks[key]!(value[key])))
      ? undefined
      : `an object with ${Object.keys(checks).join(", ")}`;
  };
}

/** An object with exactly one of these properties. */
export function variant(checks: Readonly<Record<string, Check>>): Check {
  return expect(`an object with ${Object.keys(checks).join(" or ")}`, (value) => {
    if (!isRecord(value)) return false;
    const [name, ...others] = Object.keys(value);
    return name !== undefined && others.length === 0 && Object.hasOwn(checks, name) && checks[name]!(value[name]) === undefined;
  });
}

/**
 * Checks an options object: every option must be known and of its type; `undefined` stands for the default.
 * Returns the options that were given.
 */
export function checked<T extends object>(where: string, options: T | undefined, checks: Readonly<Record<keyof T & string, Check>>): T {
  const given = options ?? {};
  if (!isRecord(given)) throw bad(where, `options must be an object`, {});
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  for (const [option, value] of entries) {
    const check = Object.hasOwn(checks, option) ? checks[option as keyof T & string] : undefined;
    if (!check) throw bad(where, `unknown option ${option}; the options are ${Object.keys(checks).join(", ")}`, { option });
    const expected = check(value);
    if (expected !== undefined) throw bad(where, `option ${option} must be ${expected}`, { option, value: printable(value) });
  }
  return Object.fromEntries(entries) as T;
}

/** The error of a call that was made wrongly. */
export function bad(where: string, message: string, details: Readonly<Record<string, unknown>>): Ia3Error {
  return new Ia3Error("bad-option", `${where}: ${message}`, details);
}

/** A value as an error can carry it to another thread. */
export function printable(value: unknown): string {
  return typeof value === "object" && value !== null ? Object.prototype.toString.call(value) : String(value);
}

/** Whether a value is an object with named properties. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
