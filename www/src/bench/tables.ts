/** The tables of results: rows, a training step's ops, and how a step compares with a forward pass. */

import type { Device } from "ia3-web";
import { element } from "../dom.js";
import { bytes, percent } from "../format.js";
import { groupOps, type OpTime } from "./op-groups.js";
import { OURS, type Row } from "./row.js";

const NONE = "–";
/** Share of a step from which ops have a line of their own. */
const SLOW = 0.01;

/** One line a row: times first, then what was asked of WebGPU in one run. */
export function rowsTable(rows: readonly Row[]): HTMLTableElement {
  const line = (row: Row) => {
    const onGpu = row.device === "webgpu";
    const calls = [row.dispatches, row.submits, row.bindGroups, row.buffers].map((count) => (onGpu ? String(Number(count.toFixed(1))) : NONE));
    const sizes = [row.heldBytes, row.wasmBytes, row.activationBytes].map((size) => (size ? bytes(size) : NONE));
    const cells = [milliseconds(row.medianMs), milliseconds(row.minMs), String(row.runs), ...calls, ...sizes];
    return element("tr", {}, element("th", { scope: "row" }, row.name, element("small", {}, row.library === OURS ? row.device : `${row.device}, ${row.library}`)), ...cells.map((text) => element("td", {}, text)));
  };
  return table(["", "Median ms", "Min ms", "Runs", "Dispatches", "Submits", "New bind groups", "New buffers", "GPU memory", "WebAssembly", "Activations"], rows.map(line));
}

/** Equal ops of a training step together, the slowest first and the many quick ones in one line; a cell's tone is its share. */
export function opsTable(device: Device, ops: readonly OpTime[]): HTMLTableElement {
  const total = ops.reduce((sum, op) => sum + op.ms, 0);
  const groups = groupOps(ops);
  const slow = groups.filter(({ ms }) => ms >= SLOW * total);
  const quick = groups.slice(slow.length);
  const others = quick.reduce((sum, { count, ms }) => ({ ...sum, count: sum.count + count, ms: sum.ms + ms }),
    { op: "Others", shapes: `each under ${percent(SLOW, 0)}`, count: 0, ms: 0 });
  const lines = [...slow, ...(quick.length > 0 ? [others] : [])].map(({ op, shapes, count, ms }) => {
    const share = element("td", { "data-right": "" }, percent(ms / total));
    share.style.setProperty("--share", String(ms / total));
    const name = element("th", { scope: "row" }, op, element("small", {}, shapes));
    return element("tr", {}, name, element("td", {}, String(count)), element("td", {}, milliseconds(ms)), share);
  });
  const made = table([`Op on ${device}`, "Times", "ms in all", "Share"], lines);
  made.prepend(element("caption", {}, `${ops.length} ops, ${milliseconds(total)} ms when each is run by itself.`));
  return made;
}

/** Training step over forward pass, for every device that has both. */
export function ratioScores(rows: readonly Row[]): HTMLElement[] {
  const ours = rows.filter(({ library }) => library === OURS);
  const devices = [...new Set(ours.map((row) => row.device))];
  return devices.flatMap((device) => {
    const median = (kind: string) => ours.find((row) => row.device === device && row.name.startsWith(kind))?.medianMs;
    const [forward, train] = [median("encoder-forward"), median("encoder-train")];
    if (forward === undefined || train === undefined) return [];
    return [element("div", { class: "score" },
      element("p", {}, `A training step on ${device}`),
      element("p", { class: "number" }, (train / forward).toFixed(2)),
      element("p", { class: "gain" }, "times a forward pass"))];
  });
}

function table(head: string[], lines: HTMLTableRowElement[]): HTMLTableElement {
  const names = head.map((name) => (name === "" ? element("td") : element("th", { scope: "col" }, name)));
  return element("table", { class: "figures" },
    element("thead", {}, element("tr", {}, ...names)),
    element("tbody", {}, ...lines));
}

/** Three digits that matter: 139, 20.4, 0.031. */
function milliseconds(ms: number): string {
  return ms >= 100 ? ms.toFixed(0) : ms.toPrecision(3);
}
