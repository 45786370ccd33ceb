// The scripts as they are published.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const folder = mkdtempSync(join(tmpdir(), "ia3-web-"));
after(() => rmSync(folder, { recursive: true }));
execFileSync(fileURLToPath(new URL("../../pkg-scripts/build-js.sh", import.meta.url)), [folder], { stdio: "inherit" });

const scripts = readdirSync(folder).filter((name) => name.endsWith(".js"));
const read = (name) => readFileSync(join(folder, name), "utf8");

test("a server can import the package", async () => {
  const exported = await import(join(folder, "index.js"));
  assert.deepEqual(Object.keys(exported).sort(), ["ERROR_CODES", "Generation", "Ia3Error", "Model", "TrainingRun", "zipAdapter"]);
});

test("on a server, loading a model says that it needs a browser", async () => {
  const { Model } = await import(join(folder, "index.js"));
  await assert.rejects(Model.fromPretrained("owner/name"), { code: "bad-option", message: /browser/ });
});

test("bundlers and plain pages find the workers and the modules", () => {
  const starts = (script, name) => assert.ok(read(script).includes(`new Worker(new URL("./${name}",import.meta.url),{type:"module"})`), name);
  starts("index.js", "worker.js");
  starts("index.js", "worker-threads.js");
  starts("worker-threads.js", "helper.js");
  for (const [script, glue] of [["worker.js", "ia3_web"], ["worker-threads.js", "ia3_web_threads"]]) {
    assert.ok(read(script).includes(`new URL("./${glue}_bg.wasm",import.meta.url)`), script);
    assert.ok(read(script).includes(`from"./${glue}.js"`), script);
  }
});

test("a helper loads nothing but itself and the module's script", () => {
  assert.deepEqual([...read("helper.js").matchAll(/from ?"([^"]*)"/g)].map(([, from]) => from), ["./ia3_web_threads.js"]);
});

test("bundlers are told to leave the fresh import alone", () => {
  assert.match(read("import-url.js"), /@vite-ignore[^]*webpackIgnore: true/);
});

test("the scripts that every page loads are far below 100 kB together", () => {
  const bytes = scripts.filter((name) => name !== "jinja.js").reduce((sum, name) => sum + read(name).length, 0);
  assert.ok(bytes < 75_000, `${bytes} bytes in ${scripts.join(", ")}`);
});

test("the script for chat templates is apart, whole, small, and has its licence", () => {
  const [all, jinja] = [scripts.filter((name) => name !== "jinja.js").map(read).join("\n"), read("jinja.js")];
  assert.match(all, /new URL\("\.\/jinja\.js",import\.meta\.url\)/);
  assert.doesNotMatch(all, /endgeneration|from ?"\.\/jinja\.js"/);
  assert.doesNotMatch(jinja, /\bimport\b *[("{*]/);
  assert.ok(jinja.length < 60_000, `${jinja.length} bytes`);
  assert.match(jinja, /@huggingface\/jinja[^]*Copyright[^]*Hugging Face[^]*Permission is hereby granted[^]*WITHOUT WARRANTY/);
});

test("the types that a caller can meet are published", () => {
  const published = readdirSync(folder).filter((name) => name.endsWith(".d.ts"));
  const imported = published.flatMap((name) => [...read(name).matchAll(/from "\.\/(.*)\.js"/g)].map(([, module]) => `${module}.d.ts`));
  assert.deepEqual(imported.filter((name) => !published.includes(name)), []);
});
