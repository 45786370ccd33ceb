// Names and files that callers pass: what they stand for, and what is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./source.mjs";

const { modelSource, placeOf, remoteFolder } = await source("source");
const { byPath, oneFolder } = await source("files");
const { selection } = await source("adapter-choice");
const { textInputs } = await source("inputs");

const bytes = new Uint8Array([1]);
const model = (folder = "") => Object.fromEntries(["config.json", "tokenizer.json", "model.safetensors"].map((name) => [folder + name, bytes]));

test("a Hub id is looked up on the Hub", () => {
  const found = modelSource("owner/name", {});
  const { name, modelId, revision } = found;
  assert.deepEqual([name, modelId, revision], ["owner/name", "owner/name", "main"]);
  assert.equal(placeOf(found, "config.json"), "https://huggingface.co/owner/name/resolve/main/config.json");
});

test("a revision with slashes is escaped", () => {
  assert.match(remoteFolder("owner/name", { revision: "refs/pr/1" }).url, /\/resolve\/refs%2Fpr%2F1\/$/);
});

test("a folder's URL is no Hub id", () => {
  const found = modelSource("https://example.org/models/mine", {});
  assert.equal(found.modelId, null);
  assert.equal(placeOf(found, "model.safetensors"), "https://example.org/models/mine/model.safetensors");
});

test("relative URLs are resolved against the page", (t) => {
  globalThis.document = { baseURI: "https://example.org/app/page.html" };
  t.after(() => delete globalThis.document);
  assert.equal(remoteFolder("./models/mine", {}).url, "https://example.org/app/models/mine/");
  assert.equal(remoteFolder("owner/name", { baseUrl: "/hub" }).url, "https://example.org/hub/owner/name/resolve/main/");
});

test("relative URLs without a page are refused", () => {
  assert.throws(() => remoteFolder("./models", {}), { code: "bad-option", message: /no page/ });
});

test("what is neither id nor URL is refused", () => {
  for (const name of ["a/b/c", "", "owner/na me", "../../etc"]) {
    assert.throws(() => remoteFolder(name, {}), { code: "bad-option" });
  }
});

test("picked files are found in their folder, beside other folders", () => {
  const files = { ...model("all-MiniLM/"), "all-MiniLM/1_Pooling/config.json": bytes, "all-MiniLM/README.md": bytes };
  assert.deepEqual(Object.keys(modelSource(files, {}).folder), ["config.json", "tokenizer.json", "model.safetensors"]);
});

test("a file list may hold paths of a picked folder", () => {
  const file = (name) => Object.assign(new File([bytes], name), { webkitRelativePath: `mine/${name}` });
  assert.deepEqual(Object.keys(byPath([file("config.json")])), ["mine/config.json"]);
});

test("a missing file is named", () => {
  assert.throws(() => modelSource({ "config.json": bytes }, {}), {
    code: "file-unreachable",
    details: { missing: ["tokenizer.json", "model.safetensors"] },
  });
});

test("shards are taken where there is no single file", () => {
  const files = { "m/config.json": bytes, "m/tokenizer.json": bytes, "m/model.safetensors.index.json": bytes, "m/a-1.safetensors": bytes };
  const found = modelSource(files, {});
  assert.equal(placeOf(found, "a-1.safetensors").size, 1);
  assert.throws(() => placeOf(found, "a-2.safetensors"), { code: "file-unreachable", details: { missing: ["a-2.safetensors"] } });
});

test("a URL that ends in .gguf is one file, also of the page and with a query", (t) => {
  globalThis.document = { baseURI: "https://example.org/app/page.html" };
  t.after(() => delete globalThis.document);
  const found = modelSource("./m/My%20Model.GGUF?download=true#top", {});
  const place = "https://example.org/app/m/My%20Model.GGUF?download=true#top";
  assert.deepEqual(found, { name: place, modelId: null, revision: null, folder: "https://example.org/app/m/", gguf: { file: "My Model.GGUF", place } });
  assert.equal(placeOf(found, "My Model.GGUF"), place);
});

test("a GGUF is named beside a Hub id or a folder, with the id's revision", () => {
  const ofId = modelSource("owner/name.gguf", { ggufFile: "q4/a b.gguf", revision: "v2" });
  assert.deepEqual([ofId.name, ofId.modelId, ofId.revision], ["owner/name.gguf", "owner/name.gguf", "v2"]);
  assert.equal(placeOf(ofId, "q4/a b.gguf"), "https://huggingface.co/owner/name.gguf/resolve/v2/q4/a%20b.gguf");
  assert.equal(placeOf(modelSource("https://example.org/m", { ggufFile: "a.gguf" }), "a.gguf"), "https://example.org/m/a.gguf");
});

test("what names no GGUF in the folder, or one in a file, is refused", () => {
  for (const ggufFile of ["model.safetensors", "", "../a.gguf", "/a.gguf", "a//b.gguf", "./a.gguf"]) {
    assert.throws(() => modelSource("owner/name", { ggufFile }), { code: "bad-option", details: { option: "ggufFile", value: ggufFile } });
  }
  assert.throws(() => modelSource("https://example.org/a.gguf", { ggufFile: "b.gguf" }), { code: "bad-option", message: /leave it out/ });
});

test("a GGUF among files is the model, whatever lies beside it", () => {
  const { folder, gguf, modelId } = modelSource({ ...model("m/"), "m/a.gguf": bytes }, {});
  assert.deepEqual([folder, gguf.file, gguf.place.size, modelId], [{}, "a.gguf", 1, null]);
});

test("of several GGUF files one has to be named", () => {
  const files = { "m/a.gguf": bytes, "m/b.gguf": new Uint8Array(2), "n/b.gguf": bytes };
  assert.throws(() => modelSource(files, {}), { code: "bad-option", message: /ggufFile.*--merge/, details: { option: "ggufFile", files: Object.keys(files) } });
  assert.throws(() => modelSource(files, { ggufFile: "b.gguf" }), { code: "bad-option", details: { option: "ggufFile", files: ["m/b.gguf", "n/b.gguf"] } });
  assert.deepEqual([modelSource(files, { ggufFile: "a.gguf" }).gguf.file, modelSource(files, { ggufFile: "m/b.gguf" }).gguf.place.size], ["a.gguf", 2]);
  assert.throws(() => modelSource(files, { ggufFile: "c.gguf" }), { code: "file-unreachable", details: { missing: ["c.gguf"] } });
});

test("two folders are one too many", () => {
  assert.throws(() => oneFolder({ ...model("a/"), ...model("b/") }, ["config.json"], "bad-adapter"), {
    code: "bad-adapter",
    details: { folders: ["a/", "b/"] },
  });
});

test("contents that are no bytes are refused by name", () => {
  assert.throws(() => byPath({ "config.json": "{}" }), { code: "bad-option", message: /config\.json/ });
});

test("texts, pairs and lists of them have one form", () => {
  const pair = { text: "b", textPair: "c", label: "x", more: 1 };
  assert.deepEqual(textInputs("classify", "a"), [{ text: "a" }]);
  assert.deepEqual(textInputs("classify", ["a", pair]), [{ text: "a" }, { text: "b", textPair: "c" }]);
});

test("an empty text is named by its row", () => {
  assert.throws(() => textInputs("classify", ["a", "  "]), { code: "empty-text", details: { index: 1 } });
});

test("a row that is no text is named by its row and field", () => {
  assert.throws(() => textInputs("classify", ["a", 3]), { code: "bad-option", details: { index: 1 } });
  assert.throws(() => textInputs("classify", [{ text: "a", textPair: 3 }]), { details: { index: 0, field: "textPair" } });
});

test("an adapter choice is the active ones, one for all, or one per row", () => {
  assert.deepEqual(selection("classify", undefined, ["a", "b"], 3), { active: ["a", "b"] });
  assert.deepEqual(selection("classify", null, ["a"], 3), { active: [] });
  assert.deepEqual(selection("classify", "c", ["a"], 3), { active: ["c"] });
  assert.deepEqual(selection("classify", ["a", null], [], 2), { rows: ["a", null] });
});

test("one name per row needs as many names as rows", () => {
  assert.throws(() => selection("classify", ["a", "b"], [], 3), { code: "bad-option", details: { option: "adapter", expected: 3, actual: 2 } });
});
