/** The confusion table: which label's sentences got which answer. */

import { element } from "../dom.js";

/** Rows are the true labels, columns the answers; a cell's tone is its share of the row. */
export function confusionTable(confusion: number[][], labels: string[]): HTMLTableElement {
  const head = element("tr", {}, element("td"), ...labels.map((label) => element("th", { scope: "col" }, label)));
  const rows = confusion.map((row, i) => {
    const total = row.reduce((sum, value) => sum + value, 0) || 1;
    const cells = row.map((value, j) => {
      const cell = element("td", i === j ? { "data-right": "" } : {}, value === 0 ? "" : String(value));
      cell.style.setProperty("--share", String(value / total));
      return cell;
    });
    return element("tr", {}, element("th", { scope: "row" }, labels[i] ?? ""), ...cells);
  });
  return element("table", {},
    element("caption", {}, "Each row is a true label, each column the adapter's answer."),
    element("thead", {}, head),
    element("tbody", {}, ...rows));
}
