/** What has been found so far: kept, shown and published for scripts, as in the demo, in a data block that the browser does not run. */

import { download, need } from "../dom.js";
import type { OpTime } from "./op-groups.js";
import type { Row } from "./row.js";
import { opsTable, ratioScores, rowsTable } from "./tables.js";

/** The results of one run of the benchmark. */
export class Results {
  #rows: Row[] = [];
  #ops: OpTime[] = [];

  constructor() {
    need("save", HTMLButtonElement).addEventListener("click", () => download("ia3-web-bench.json", this.#json(), "application/json"));
  }

  /** Forgets an earlier run. */
  clear(): void {
    this.#rows = [];
    this.#ops = [];
    this.#show();
  }

  addRow(row: Row): void {
    this.#rows.push(row);
    this.#show();
  }

  addOps(ops: OpTime[]): void {
    this.#ops.push(...ops);
    this.#show();
  }

  #show(): void {
    const none = this.#rows.length === 0 && this.#ops.length === 0;
    need("save", HTMLButtonElement).hidden = none;
    need("no-rows", HTMLParagraphElement).hidden = this.#rows.length > 0;
    need("no-ops", HTMLParagraphElement).hidden = this.#ops.length > 0;
    need("ratios", HTMLDivElement).replaceChildren(...ratioScores(this.#rows));
    need("rows", HTMLDivElement).replaceChildren(...(this.#rows.length > 0 ? [rowsTable(this.#rows)] : []));
    const devices = [...new Set(this.#ops.map((op) => op.device))];
    need("ops", HTMLDivElement).replaceChildren(...devices.map((device) => opsTable(device, this.#ops.filter((op) => op.device === device))));
    need("report", HTMLScriptElement).textContent = none ? "" : this.#json();
  }

  #json(): string {
    return JSON.stringify({ userAgent: navigator.userAgent, rows: this.#rows, ops: this.#ops }, null, 2);
  }
}
