// Lets Node run src/js as it is: TypeScript through esbuild, and a stand-in for wasm-bindgen's script.

import { transformSync } from "esbuild";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const SOURCE = new URL("../../src/js/", import.meta.url).href;
const GLUE = new URL("./glue.mjs", import.meta.url).href;
const THREADS = new URL("./glue-threads.mjs", import.meta.url).href;

export async function resolve(specifier, context, next) {
  const url = URL.canParse(specifier, context.parentURL) ? new URL(specifier, context.parentURL).href : "";
  if (!url.startsWith(SOURCE) || !/\.js(\?|$)/.test(url)) return next(specifier, context);
  const glue = url.includes("/ia3_web_threads.js") ? THREADS : url.includes("/ia3_web.js") && GLUE;
  const found = glue ? glue + new URL(url).search : url.replace(/\.js$/, ".ts");
  return { url: found, shortCircuit: true };
}

export async function load(url, context, next) {
  if (!url.startsWith(SOURCE) || !/\.ts(\?|$)/.test(url)) return next(url, context);
  const file = fileURLToPath(url);
  const { code } = transformSync(await readFile(file, "utf8"), { loader: "ts", target: "es2022", sourcefile: file, sourcemap: "inline" });
  return { format: "module", source: code, shortCircuit: true };
}
