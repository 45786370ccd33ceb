// How much memory the WebAssembly of another library has in its worker. The browser's own measure, `measureUserAgentSpecificMemory`, counts
// only memory that threads share.

const CHANNEL = "wasm-bytes";

/** Runs before a worker's own code: keeps the memories that are made there, and tells their size when asked. */
const PRELUDE = `{
  const made = [];
  WebAssembly.Memory = new Proxy(WebAssembly.Memory, {
    construct(Memory, given) {
      const memory = new Memory(...given);
      made.push(memory);
      return memory;
    },
  });
  const channel = new BroadcastChannel("${CHANNEL}");
  channel.onmessage = () => channel.postMessage(made.reduce((sum, { buffer }) => sum + buffer.byteLength, 0));
}
`;

/** From now on workers that are made of a blob are watched. One of them at a time. */
export function watchWorkers() {
  const { createObjectURL } = URL;
  URL.createObjectURL = (blob) => createObjectURL.call(URL, new Blob([PRELUDE, blob], { type: blob.type }));
}

/** Bytes of the memories in the worker that is there now. */
export function wasmBytes() {
  const channel = new BroadcastChannel(CHANNEL);
  return new Promise((resolve) => {
    channel.onmessage = ({ data }) => {
      channel.close();
      resolve(data);
    };
    channel.postMessage("how many?");
  });
}
