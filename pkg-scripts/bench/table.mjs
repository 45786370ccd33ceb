// The rows and ratios as text.

const HEAD = ["row", "device", "library", "median ms", "min ms", "runs", "dispatches", "submits", "bind groups", "buffers", "GPU MB", "wasm MB"];
const NONE = "-";

/**
 * The rows, one line each, those of the same work beside each other. Bytes are those of GPU buffers at their most, and of WebAssembly's memory,
 * which never shrinks, after the last run.
 */
export function rowsText(rows) {
  const order = [...new Set(rows.map(({ name, device }) => `${device} ${name}`))];
  const sorted = order.flatMap((key) => rows.filter(({ name, device }) => `${device} ${name}` === key));
  return aligned([HEAD, ...sorted.map(cells)]);
}

/** The ratios, one line each. */
export function ratiosText({ trainOverForward, peerOverOurs }) {
  const lines = [];
  for (const [device, libraries] of Object.entries(trainOverForward)) {
    for (const [library, ratio] of Object.entries(libraries)) lines.push(["train / forward", device, library, String(ratio)]);
  }
  for (const [device, names] of Object.entries(peerOverOurs)) {
    for (const [name, libraries] of Object.entries(names)) {
      for (const [library, ratio] of Object.entries(libraries)) lines.push([`${name}, peer / ours`, device, library, String(ratio)]);
    }
  }
  return aligned(lines);
}

function cells(row) {
  const counts = [row.dispatches, row.submits, row.bindGroups, row.buffers];
  const onGpu = row.device === "webgpu";
  return [
    row.name,
    row.device,
    row.library,
    row.medianMs.toFixed(1),
    row.minMs.toFixed(1),
    String(row.runs),
    ...counts.map((count) => (onGpu ? String(Number(count.toFixed(1))) : NONE)),
    ...[row.heldBytes, row.wasmBytes].map((bytes) => (bytes > 0 ? (bytes / 1e6).toFixed(1) : NONE)),
  ];
}

/** Columns of equal width: words to the left, numbers to the right. */
function aligned(lines) {
  const width = (column) => Math.max(...lines.map((line) => line[column].length));
  const pad = (text, column) => (column < 3 ? text.padEnd(width(column)) : text.padStart(width(column)));
  return lines.map((line) => line.map(pad).join("  ")).join("\n");
}
