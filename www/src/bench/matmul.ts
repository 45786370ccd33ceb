/** The row of one product of matrices: the kernel by itself, without a model. */

import { startGlue } from "./glue.js";
import { breathe, type Job } from "./job.js";
import { ownRow, type Row } from "./row.js";
import { Stopwatch } from "./stopwatch.js";

/** A feed-forward layer of MiniLM on 8 x 64 tokens. */
const [ROWS, INNER, OUTER] = [512, 384, 1536];
/** Products in a run. */
const REPEAT = 2;

/** Measures it. */
export async function matmulRow(job: Job): Promise<Row> {
  const { device, limits, signal, say } = job;
  const name = `matmul-${ROWS}x${INNER}x${OUTER}`;
  const { Matmul } = await startGlue();
  const matmul = await Matmul.open(device, ROWS, INNER, OUTER, false);
  try {
    const watch = new Stopwatch(limits, REPEAT);
    while (!watch.enough) {
      say(name);
      await breathe(signal);
      watch.add(await matmul.time(REPEAT));
    }
    return ownRow(name, job, watch.figures);
  } finally {
    matmul.free();
  }
}
