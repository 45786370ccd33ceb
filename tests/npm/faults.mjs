// Broken surroundings for a page: files that are not what they should be, and errors checked by code.

import assert from "node:assert/strict";
import { fixture, plainPage } from "./package.mjs";
import { open, TINY } from "./site.mjs";

/** Opens the page without a bundler with some of the model's files replaced: file name -> answer. */
export function openBroken(t, files = {}, options = {}) {
  const arrange = async (context) => {
    for (const [file, answer] of Object.entries(files)) {
      await context.route(`**/hub/**/${file}`, (route) => (answer === null ? route.abort() : route.fulfill(answer)));
    }
    await options.arrange?.(context);
  };
  return open(t, plainPage(), { file: "plain.html", ...options, arrange });
}

/** What loading a tiny model in the page rejects with. */
export function loadError(page, options = {}, source = TINY.mean) {
  return page.evaluate(
    ([source, options]) => job.caught(ia3, ia3.Model.fromPretrained(source, { baseUrl: "/hub", labels: job.LABELS, device: "wasm", ...options })),
    [source, options],
  );
}

/** Checks that an error is one of ours with this code, and that its message says this. */
export function isError(error, code, message) {
  assert.equal(error.code, code, error.message);
  assert.ok(error.ours, `${code} is not an Ia3Error`);
  assert.match(error.message, message);
}

/** The bytes of the tiny model. */
export const WEIGHTS = fixture("tiny-bert-mean/model.safetensors");

/** The tiny model with a part of its header exchanged for another of the same length. */
export function weightsWith(part, other) {
  assert.equal(part.length, other.length);
  const text = WEIGHTS.toString("latin1");
  assert.ok(text.includes(part), part);
  return Buffer.from(text.replace(part, other), "latin1");
}

/** The tiny model cut in two, with an index: file name -> answer. There is no `model.safetensors` then. */
export function sharded() {
  const end = 8 + Number(WEIGHTS.readBigUInt64LE());
  const { __metadata__: _, ...tensors } = JSON.parse(WEIGHTS.subarray(8, end));
  const names = Object.keys(tensors);
  const half = Math.ceil(names.length / 2);
  const shard = (names) => {
    let at = 0;
    const placed = names.map((name) => {
      const [from, to] = tensors[name].data_offsets;
      return [name, { ...tensors[name], data_offsets: [at, (at += to - from)] }];
    });
    const header = Buffer.from(JSON.stringify(Object.fromEntries(placed)));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    return Buffer.concat([length, header, ...names.map((name) => WEIGHTS.subarray(...tensors[name].data_offsets.map((offset) => end + offset)))]);
  };
  const parts = { "model-00001-of-00002.safetensors": names.slice(0, half), "model-00002-of-00002.safetensors": names.slice(half) };
  const weight_map = Object.fromEntries(Object.entries(parts).flatMap(([file, names]) => names.map((name) => [name, file])));
  const files = Object.entries(parts).map(([file, names]) => [file, { body: shard(names) }]);
  return {
    "model.safetensors": { status: 404, body: "not found" },
    "model.safetensors.index.json": { contentType: "application/json", body: JSON.stringify({ metadata: {}, weight_map }) },
    ...Object.fromEntries(files),
  };
}

/** A WebAssembly module whose memory grows to so many pages of 64 KiB at most. */
export function limited(module, pages) {
  let at = 8;
  for (;;) {
    const [size, content] = leb(module, at + 1);
    if (module[at] === 5) {
      // One memory: flags, the pages that it begins with and, where the flags say so, the most.
      const [first] = leb(module, content + 2);
      const section = Buffer.from([1, 1, ...toLeb(first), ...toLeb(pages)]);
      return Buffer.concat([module.subarray(0, at), Buffer.from([5, ...toLeb(section.length)]), section, module.subarray(content + size)]);
    }
    at = content + size;
  }
}

/** The number of seven bits a byte that begins at a place, and the place after it. */
function leb(bytes, at) {
  let number = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    number |= (byte & 127) << shift;
    if (byte < 128) return [number, at];
  }
}

function toLeb(number) {
  return number < 128 ? [number] : [(number & 127) | 128, ...toLeb(number >> 7)];
}
