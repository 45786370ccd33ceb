// The static server: right types, lengths and ranges, and nothing outside its folders.

import assert from "node:assert/strict";
import { mkdtemp, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { serve } from "./serve.mjs";

let folder;
let server;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "ia3-web-serve-"));
  await mkdir(join(folder, "www", "data"), { recursive: true });
  await mkdir(join(folder, "hub"));
  await writeFile(join(folder, "secret.txt"), "secret");
  await writeFile(join(folder, "www", "index.html"), "<!doctype html>");
  await writeFile(join(folder, "www", "data", "a b.json"), "{}");
  await writeFile(join(folder, "hub", "weights.safetensors"), "0123456789");
  await symlink(join(folder, "secret.txt"), join(folder, "www", "link.txt"));
  server = await serve({ mounts: { "/": join(folder, "www"), "/hub/": join(folder, "hub") } });
});

after(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

/** The path goes out as it is: `fetch` would tidy "..", which is just what must be tested. */
function get(path, headers = {}, method = "GET") {
  const { hostname, port } = new URL(server.origin);
  return new Promise((resolve, reject) => {
    request({ hostname, port, path, headers, method }, async (response) => {
      let body = "";
      for await (const chunk of response) body += chunk;
      resolve({ status: response.statusCode, headers: response.headers, body });
    })
      .on("error", reject)
      .end();
  });
}

test("a folder answers with its index page, under the strict policy", async () => {
  const { status, headers, body } = await get("/?device=wasm");
  assert.deepEqual([status, body], [200, "<!doctype html>"]);
  assert.equal(headers["content-type"], "text/html; charset=utf-8");
  assert.match(headers["content-security-policy"], /script-src 'self' 'wasm-unsafe-eval';/);
});

test("pages are cross-origin isolated unless they are not to be", async () => {
  const names = ["cross-origin-opener-policy", "cross-origin-embedder-policy"];
  const { headers } = await get("/");
  assert.deepEqual(names.map((name) => headers[name]), ["same-origin", "require-corp"]);
  const open = await serve({ mounts: { "/": join(folder, "www") }, isolated: false });
  try {
    const { headers } = await fetch(open.origin);
    assert.deepEqual(names.map((name) => headers.get(name)), [null, null]);
  } finally {
    await open.close();
  }
});

test("the longest prefix wins and lengths are sent", async () => {
  const { headers, body } = await get("/hub/weights.safetensors");
  assert.deepEqual([headers["content-length"], body], ["10", "0123456789"]);
});

test("names with spaces are found", async () => {
  assert.equal((await get("/data/a%20b.json")).body, "{}");
});

for (const [range, status, body] of [
  ["bytes=2-4", 206, "234"],
  ["bytes=7-", 206, "789"],
  ["bytes=-2", 206, "89"],
  ["bytes=8-99", 206, "89"],
  ["bytes=10-", 416, "416\n"],
  ["bytes=0-1,4-5", 200, "0123456789"],
]) {
  test(`range ${range}`, async () => {
    const answer = await get("/hub/weights.safetensors", { range });
    assert.deepEqual([answer.status, answer.body], [status, body]);
  });
}

test("HEAD sends the length alone", async () => {
  const { status, headers, body } = await get("/hub/weights.safetensors", {}, "HEAD");
  assert.deepEqual([status, headers["content-length"], body], [200, "10", ""]);
});

test("an unchanged file is not sent again", async () => {
  const { headers } = await get("/");
  assert.equal((await get("/", { "if-none-match": headers.etag })).status, 304);
});

for (const path of ["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/hub/../../secret.txt", "/link.txt"]) {
  test(`nothing outside: ${path}`, async () => {
    assert.equal((await get(path)).status, 404);
  });
}

for (const [path, method, status] of [
  ["/missing", "GET", 404],
  ["/data", "GET", 404],
  ["/%E0%A4%A", "GET", 404],
  ["/%00", "GET", 404],
  ["/", "POST", 405],
]) {
  test(`${method} ${path} answers ${status}`, async () => {
    assert.equal((await get(path, {}, method)).status, status);
  });
}
