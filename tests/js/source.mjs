// The modules of src/js for the tests.

import { register } from "node:module";

register("./hooks.mjs", import.meta.url);

/** The exports of `src/js/<name>.ts`. */
export function source(name) {
  return import(new URL(`../../src/js/${name}.ts`, import.meta.url).href);
}
