/** The ops of a training step and what they add up to: where its time goes. */

import type { Device } from "ia3-web";

/** One op of the step, in the order of its plan. */
export interface OpTime {
  device: Device;
  /** The op with its settings. */
  op: string;
  inputs: number[][];
  outputs: number[][];
  /** Milliseconds of one run; on WebGPU with a share of a submit's round trip, which a whole step pays once. */
  ms: number;
}

/** Ops of a step taken together: those that do the same with the same shapes, whichever layer they belong to. */
export interface OpGroup {
  op: string;
  shapes: string;
  count: number;
  ms: number;
}

/** The groups of a step, the slowest first. */
export function groupOps(ops: readonly OpTime[]): OpGroup[] {
  const groups = new Map<string, OpGroup>();
  for (const { op, inputs, outputs, ms } of ops) {
    const group = { op: shortName(op), shapes: `${inputs.map(shape).join(", ")} → ${outputs.map(shape).join(", ")}` };
    const key = `${group.op} ${group.shapes}`;
    const { count, ms: before } = groups.get(key) ?? { count: 0, ms: 0 };
    groups.set(key, { ...group, count: count + 1, ms: before + ms });
  }
  return [...groups.values()].sort((a, b) => b.ms - a.ms);
}

/** `Linear { flipped: true, bias: false }` -> `Linear { flipped }`: without what is off, and without where in memory its vectors lie. */
function shortName(op: string): string {
  return op
    .replace(/(start|len|offset|eps|scale): [\d.e-]+(, )?|\w+: false(, )?/g, "")
    .replaceAll(": true", "")
    .replace(/,? *\}/g, " }")
    .replaceAll(" { }", "");
}

function shape(sizes: number[]): string {
  return sizes.length === 0 ? "1" : sizes.join("×");
}
