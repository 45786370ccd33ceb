// Adapters as zips, and zips that lie.

import assert from "node:assert/strict";
import { test } from "node:test";
import { zipSync } from "fflate";
import { serveFiles } from "./server.mjs";
import { source } from "./source.mjs";

const { unzip, zipAdapter } = await source("zip");
const { adapterFiles } = await source("adapter-source");
const { Ia3Error } = await source("errors");

const text = (string) => new TextEncoder().encode(string);
const ADAPTER = {
  "adapter_config.json": text("{}"),
  "adapter_model.safetensors": text("tensors"),
  "labels.json": text('["a","b"]'),
  "ia3_shift.safetensors": text("shifts"),
  "ia3_options.json": text("{}"),
};
const place = { fetch: (url, init) => fetch(url, init) };
const inFolder = (folder) => Object.fromEntries(Object.entries(ADAPTER).map(([name, contents]) => [folder + name, contents]));
const plain = (files) => Object.fromEntries(Object.entries(files).map(([name, contents]) => [name, Buffer.from(contents).toString()]));

/** The position of an entry's sizes in the central directory. */
const sizes = (zip) => Buffer.from(zip.buffer).lastIndexOf(Buffer.from([0x50, 0x4b, 1, 2])) + 20;

test("what is zipped is what comes out", async () => {
  assert.deepEqual(plain(await adapterFiles(zipAdapter(ADAPTER), place)), plain(ADAPTER));
});

test("a zip made in a folder, with other files, is an adapter", async () => {
  const zip = zipSync({ ...inFolder("mine/"), "mine/README.md": text("# card"), "__MACOSX/._mine": text("") });
  assert.deepEqual(plain(await adapterFiles(new Blob([zip]), place)), plain(ADAPTER));
});

test("a dropped zip is opened", async () => {
  assert.deepEqual(plain(await adapterFiles([new File([zipAdapter(ADAPTER)], "mine.ZIP")], place)), plain(ADAPTER));
});

test("several adapters in one zip are listed", async () => {
  const zip = zipSync({ ...inFolder("a/"), ...inFolder("b/") });
  await assert.rejects(adapterFiles(zip, place), { code: "bad-adapter", details: { folders: ["a/", "b/"] } });
});

test("files that are no adapter are refused", async () => {
  await assert.rejects(adapterFiles({ "notes.txt": text("") }, place), { code: "bad-adapter", message: /adapter_config\.json/ });
  await assert.rejects(adapterFiles(text("not a zip"), place), { code: "bad-adapter" });
});

test("an entry that claims more than its bytes could hold is refused", () => {
  const zip = zipSync({ "adapter_model.safetensors": new Uint8Array(1000) });
  new DataView(zip.buffer).setUint32(sizes(zip) + 4, 2 ** 31, true);
  assert.throws(() => unzip(zip), { code: "bad-adapter", message: /claims 2147483648 bytes/ });
});

test("a zip that inflates to more than 64 MB is refused", () => {
  const part = new Uint8Array(33 * 1024 * 1024);
  assert.throws(() => unzip(zipSync({ one: part, two: part }, { level: 9 })), { code: "bad-adapter", message: /64 ?MB|67108864/ });
});

test("mutated zips are read or refused, never more", () => {
  const zip = zipAdapter(ADAPTER);
  let seed = 1;
  const random = (below) => (seed = (seed * 48271) % 2147483647) % below;
  let refused = 0;
  for (let round = 0; round < 5000; round++) {
    const mutant = zip.slice(0, random(10) === 0 ? random(zip.length) : zip.length);
    for (let change = 0; change <= random(4) && mutant.length > 0; change++) mutant[random(mutant.length)] = random(256);
    try {
      unzip(mutant);
    } catch (error) {
      assert.ok(error instanceof Ia3Error && error.code === "bad-adapter", String(error));
      refused++;
    }
  }
  assert.ok(refused > 500);
});

test("an adapter is fetched from a folder, without what it lacks", async (t) => {
  const server = await serveFiles(Object.fromEntries(Object.entries(inFolder("/mine/"))));
  t.after(() => server.close());
  assert.deepEqual(plain(await adapterFiles(`${server.url}/mine`, place)), plain(ADAPTER));
});

test("an adapter is fetched from a zip and by Hub id", async (t) => {
  const server = await serveFiles({ "/mine.zip": zipAdapter(ADAPTER), ...inFolder("/owner/mine/resolve/main/") });
  t.after(() => server.close());
  assert.deepEqual(plain(await adapterFiles(`${server.url}/mine.zip`, place)), plain(ADAPTER));
  assert.deepEqual(plain(await adapterFiles("owner/mine", { ...place, baseUrl: server.url })), plain(ADAPTER));
});

test("an adapter that is not there is unreachable", async (t) => {
  const server = await serveFiles({});
  t.after(() => server.close());
  await assert.rejects(adapterFiles(`${server.url}/mine`, place), { code: "file-unreachable" });
});
