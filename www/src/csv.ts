/** Labelled examples from CSV text: two columns text,label, or three text,text_pair,label named by a header row. */

import Papa from "papaparse";
import type { Example } from "./state.js";

/** What a CSV text gave. */
export interface CsvResult {
  examples: Example[];
  /** One sentence for each row that could not be taken, naming its number. */
  problems: string[];
  /** The rows that could not be taken, as CSV, so that a person can mend them. */
  rejected: string;
}

const HEADERS: Record<string, keyof Example> = {
  text: "text", sentence: "text", sentence1: "text", text_pair: "textPair", textpair: "textPair", sentence2: "textPair", label: "label",
};

/** Parses RFC 4180 text (quotes, doubled quotes, line breaks inside quotes); tabs or semicolons may part the columns too. */
export function parseExamples(source: string): CsvResult {
  const parsed = Papa.parse<string[]>(source.replace(/^\uFEFF/, ""), {
    skipEmptyLines: "greedy", delimiter: delimiterOf(source),
  });
  const rows = parsed.data.map((row) => row.map((cell) => cell.trim()));
  const header = headerOf(rows[0] ?? []);
  const columns = header ?? ["text", "label"];
  const broken = new Set(parsed.errors.map((error) => error.row));
  const result: CsvResult = { examples: [], problems: [], rejected: "" };
  const rejected: string[][] = [];
  rows.forEach((row, index) => {
    if (header && index === 0) return;
    const problem = broken.has(index) ? "its double quotes do not match" : problemOf(row, columns);
    if (problem) {
      result.problems.push(`Row ${index + 1}: ${problem}.`);
      rejected.push(row);
    } else {
      result.examples.push(Object.fromEntries(columns.map((name, at) => [name, row[at]])) as unknown as Example);
    }
  });
  result.rejected = Papa.unparse(rejected, { newline: "\n" });
  return result;
}

/** The header's columns, or undefined when the first row is an example already. */
function headerOf(row: string[]): (keyof Example)[] | undefined {
  const names = row.map((cell) => HEADERS[cell.toLowerCase()]);
  return names.includes("text") && names.includes("label") && names.every((name) => name !== undefined)
    ? (names as (keyof Example)[])
    : undefined;
}

function problemOf(row: string[], columns: (keyof Example)[]): string | undefined {
  if (row.length > columns.length) return `${row.length} columns where ${columns.join(",")} has ${columns.length}; put a text that has a comma in double quotes`;
  if (row.length < columns.length) return `the label is missing; write ${columns.join(",")}`;
  const empty = columns.find((_, at) => !row[at]);
  return empty ? `the ${empty} is empty` : undefined;
}

/** Tab or semicolon when the first line has them and no comma: what spreadsheets of some countries write. */
function delimiterOf(source: string): string {
  const line = source.split("\n", 1)[0] ?? "";
  if (line.includes("\t")) return "\t";
  return line.includes(";") && !line.includes(",") ? ";" : ",";
}
