// The modules of src/js for the tests.

import { register } from "node:module";

register("./hooks.mjs", import.meta.url);

/** The exports of `src/js/<name>.ts`; another `evaluation` runs the script once more. */
export function source(name, evaluation = "") {
  return import(new URL(`../../src/js/${name}.ts${evaluation && `?${evaluation}`}`, import.meta.url).href);
}
