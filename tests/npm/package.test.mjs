// The tarball: what is in it, and what a server sees of it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { packed, plainPage } from "./package.mjs";

test("the tarball has the scripts, the types, the module and the licence, and nothing else", () => {
  const files = packed.files.map(({ path }) => path);
  const modules = ["ia3_web.js", "ia3_web_bg.wasm", "ia3_web_threads.js", "ia3_web_threads_bg.wasm"];
  for (const file of ["index.js", "index.d.ts", "worker.js", "worker-threads.js", "helper.js", ...modules, "package.json", "README.md", "LICENSE"]) {
    assert.ok(files.includes(file), `${file} is missing`);
  }
  const others = files.filter((file) => !/^[\w-]+(\.d)?\.(js|ts)$|^(ia3_web(_threads)?_bg\.wasm(\.d\.ts)?|package\.json|README\.md|LICENSE)$/.test(file));
  assert.deepEqual(others, []);
});

test("plain Node imports it by its name, and window and navigator are not looked at", () => {
  const script = `
    for (const name of ["window", "document", "navigator", "self", "location"]) {
      Object.defineProperty(globalThis, name, { configurable: true, get() { throw new Error(name + " was looked at"); } });
    }
    const { Model, Ia3Error } = await import("ia3-web");
    console.log(typeof Model.fromPretrained, new Ia3Error("busy", "x").code);`;
  const told = execFileSync(process.execPath, ["--input-type=module", "--eval", script], { cwd: plainPage(), encoding: "utf8" });
  assert.equal(told.trim(), "function busy");
});
