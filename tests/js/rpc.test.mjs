// The protocol between page and engine.

import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./source.mjs";

const { Remote, serve } = await source("rpc");
const { Ia3Error } = await source("errors");

/** A remote whose calls `dispatch` answers. */
function connect(t, dispatch) {
  const { port1, port2 } = new MessageChannel();
  serve(port2, dispatch);
  port1.start();
  port2.start();
  t.after(() => port1.close());
  return new Remote(port1);
}

test("a call returns what the verb returns", async (t) => {
  const remote = connect(t, async (verb, args) => ({ verb, args }));
  assert.deepEqual(await remote.call("add", [1, 2]), { verb: "add", args: [1, 2] });
});

test("an error keeps its code and details across the border", async (t) => {
  const remote = connect(t, async () => {
    throw Object.assign(new Error("bad shape"), { code: "tensor-shape", details: { tensor: "w" } });
  });
  await assert.rejects(remote.call("load", null), { name: "Ia3Error", code: "tensor-shape", message: "bad shape", details: { tensor: "w" } });
});

test("a trap is a panic", async (t) => {
  const remote = connect(t, async () => {
    throw new WebAssembly.RuntimeError("unreachable");
  });
  await assert.rejects(remote.call("step", null), { code: "panic" });
});

test("events come in order and before the result", async (t) => {
  const remote = connect(t, async (_verb, count, { emit }) => {
    for (let at = 0; at < count; at++) emit(at);
    return "end";
  });
  const seen = [];
  seen.push(await remote.call("count", 3, { onEvent: (event) => seen.push(event) }));
  assert.deepEqual(seen, [0, 1, 2, "end"]);
});

test("calls under way at the same time get their own answers", async (t) => {
  const remote = connect(t, async (_verb, ms) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return ms;
  });
  assert.deepEqual(await Promise.all([remote.call("wait", 20), remote.call("wait", 1)]), [20, 1]);
});

test("a cancelled call is told, and decides how it ends", async (t) => {
  const remote = connect(t, (_verb, _args, { signal }) => new Promise((resolve) => (signal.onabort = () => resolve("stopped early"))));
  const controller = new AbortController();
  const call = remote.call("train", null, { signal: controller.signal });
  controller.abort();
  assert.equal(await call, "stopped early");
});

test("answers hand over their buffers, arguments stay with the caller", async (t) => {
  const answer = { files: { a: new Uint8Array([1, 2]) }, rows: [new Float32Array([3])] };
  const remote = connect(t, async () => answer);
  const argument = new Uint8Array([4]);
  const received = await remote.call("save", { argument });
  assert.deepEqual([...received.files.a, ...received.rows[0]], [1, 2, 3]);
  assert.equal(answer.files.a.length + answer.rows[0].length, 0);
  assert.equal(argument.length, 1);
});

test("a failure ends the calls under way and all later ones", async (t) => {
  const remote = connect(t, () => new Promise(() => {}));
  const pending = remote.call("wait", null);
  remote.fail(new Ia3Error("panic", "gone"));
  await assert.rejects(pending, { code: "panic" });
  await assert.rejects(remote.call("wait", null), { code: "panic" });
});
