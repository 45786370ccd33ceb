// How many threads an engine gets that runs on the processor.

/** A page needs cores of its own; more than two threads could not be timed so far. */
const MOST = 4;

/** The memory that the module with threads is built for, in pages of 64 KiB: 4 GiB. Address space, not storage. */
const PAGES = 65536;

/** As many as are wanted, or as there are processor cores; 1 where threads cannot share memory. */
export function threadCount(wanted: number | undefined): number {
  const count = wanted ?? Math.min(MOST, globalThis.navigator?.hardwareConcurrency ?? 1);
  return count > 1 && canShareMemory() ? count : 1;
}

// `Atomics.waitAsync` is what wasm-bindgen's promises wait with in a module that is built for threads.
function canShareMemory(): boolean {
  if (!globalThis.crossOriginIsolated || !("waitAsync" in Atomics)) return false;
  try {
    return new WebAssembly.Memory({ initial: 1, maximum: PAGES, shared: true }).buffer instanceof SharedArrayBuffer;
  } catch {
    return false; // some devices have not the address space
  }
}
