// What is measured beside the benchmark page: rows of other libraries, and ours of language models.

/** All rows. The time of `generate-decode` is that of one token, of `language-train` that of one training step. */
const ROWS = [
  { task: "matmul", name: "matmul-512x384x1536" },
  { task: "encoder-forward", name: "encoder-forward-8x64" },
  { task: "encoder-train", name: "encoder-train-8x64" },
  ...["q4_1", "q8_0"].flatMap((format) => [
    { task: "generate-load", format, name: `generate-load-${format}` },
    { task: "generate-prefill", format, name: `generate-prefill-128-${format}` },
    { task: "generate-decode", format, name: `generate-decode-${format}` },
  ]),
  { task: "language-train", format: "q4_1", name: "language-train-4x64-q4_1" },
];

/**
 * What each can do. transformers.js is not among them: it would need SmolLM2 as ONNX, which no package of npm or PyPI is known to have. The ONNX
 * Runtime Web that it runs on is here, on the encoder.
 */
const LIBRARIES = {
  "ia3-web": ["generate-load", "generate-prefill", "generate-decode", "language-train"],
  "ia3-web-threads": ["encoder-forward", "encoder-train", "generate-load", "generate-prefill", "generate-decode", "language-train"],
  tfjs: ["matmul", "encoder-forward", "encoder-train"],
  "jax-js": ["matmul", "encoder-forward", "encoder-train"],
  "onnxruntime-web": ["matmul", "encoder-forward"],
  wllama: ["generate-load", "generate-prefill", "generate-decode"],
};

/** What is measured on the processor alone: ours with threads, a library's with one, and the file that is there to be compared with it. */
const WASM_ALONE = ["ia3-web-threads", "wllama", "q8_0"];

/** Every task of the rows, by which they can be asked for. */
export const TASKS = [...new Set(ROWS.map(({ task }) => task))];

/** Does `wanted`, the start of a name or a whole one with its size, ask for `name`? */
export const asksFor = (wanted, name) => name.startsWith(wanted) || wanted.startsWith(`${name}-`);

/**
 * Everything the libraries can do on these devices in the rows that are asked for.
 * @param {{devices: string[], only: string[]}} asked
 * @returns {{library: string, device: string, task: string, name: string, format?: string}[]}
 */
export function peerJobs({ devices, only }) {
  const rows = ROWS.filter(({ name }) => only.some((wanted) => name.startsWith(wanted)));
  const can = (library, device, { task, format }) =>
    LIBRARIES[library].includes(task) && (device === "wasm" || ![library, format].some((each) => WASM_ALONE.includes(each)));
  return devices.flatMap((device) =>
    Object.keys(LIBRARIES).flatMap((library) =>
      rows.filter((row) => can(library, device, row)).map((row) => ({ library, device, ...row }))));
}
