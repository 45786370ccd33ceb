/** Counts what is asked of WebGPU, whoever asks: a count of calls that does not depend on how fast the machine is. */

/** How often something was asked for. */
export interface Calls {
  dispatches: number;
  submits: number;
  bindGroups: number;
  buffers: number;
}

const calls: Calls = { dispatches: 0, submits: 0, bindGroups: 0, buffers: 0 };
let liveBytes = 0;
let mostBytes = 0;

/** Starts counting. To be called before anything touches WebGPU; where there is none, everything stays 0. */
export function countCalls(): void {
  if (!("GPUDevice" in globalThis)) return;
  count(GPUComputePassEncoder.prototype, "dispatchWorkgroups", "dispatches");
  count(GPUComputePassEncoder.prototype, "dispatchWorkgroupsIndirect", "dispatches");
  count(GPUQueue.prototype, "submit", "submits");
  count(GPUDevice.prototype, "createBindGroup", "bindGroups");
  countBuffers();
}

/** What was asked for since this was made. */
export class Tally {
  readonly #start = { ...calls };

  constructor() {
    mostBytes = liveBytes;
  }

  /** The share of one of `runs` equal runs, and the most bytes of buffers that lived at once. */
  perRun(runs: number): Calls & { heldBytes: number } {
    const share = (name: keyof Calls) => (calls[name] - this.#start[name]) / runs;
    return {
      dispatches: share("dispatches"),
      submits: share("submits"),
      bindGroups: share("bindGroups"),
      buffers: share("buffers"),
      heldBytes: mostBytes,
    };
  }
}

function count<Name extends string>(of: Record<Name, (...given: never[]) => unknown>, method: Name, name: keyof Calls): void {
  const original = of[method];
  of[method] = function (this: unknown, ...given: never[]) {
    calls[name]++;
    return original.apply(this, given);
  };
}

function countBuffers(): void {
  const { createBuffer } = GPUDevice.prototype;
  const { destroy } = GPUBuffer.prototype;
  const live = new WeakSet<GPUBuffer>(); // destroying a buffer again is allowed, and frees nothing
  GPUDevice.prototype.createBuffer = function (descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    live.add(buffer);
    calls.buffers++;
    liveBytes += buffer.size;
    mostBytes = Math.max(mostBytes, liveBytes);
    return buffer;
  };
  GPUBuffer.prototype.destroy = function () {
    if (live.delete(this)) liveBytes -= this.size;
    return destroy.call(this);
  };
}
