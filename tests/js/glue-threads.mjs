// What wasm-bindgen's script for the module with threads exports to a helper: whatever a test has put there.

export const initSync = (input) => globalThis.fakeThreads.initSync(input);

export const help = (pool) => globalThis.fakeThreads.help(pool);
