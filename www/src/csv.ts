/** Examples from CSV text: columns in a known order, or named by a header row. */

import Papa from "papaparse";

/** What the columns of a table are. */
export interface Columns<Example> {
  /** The columns that every row has, in their order where no header names them. */
  required: (keyof Example & string)[];
  /** The names, in small letters, that a header may give them and others. */
  names: Record<string, keyof Example & string>;
}

/** What a CSV text gave. */
export interface CsvResult<Example> {
  examples: Example[];
  /** One sentence for each row that could not be taken, naming its number. */
  problems: string[];
  /** The rows that could not be taken, as CSV, so that a person can mend them. */
  rejected: string;
}

/** Parses RFC 4180 text (quotes, doubled quotes, line breaks inside quotes); tabs or semicolons may part the columns too. */
export function parseExamples<Example>(source: string, { required, names }: Columns<Example>): CsvResult<Example> {
  const parsed = Papa.parse<string[]>(source.replace(/^\uFEFF/, ""), {
    skipEmptyLines: "greedy", delimiter: delimiterOf(source),
  });
  const rows = parsed.data.map((row) => row.map((cell) => cell.trim()));
  const named = (rows[0] ?? []).map((cell) => (Object.hasOwn(names, cell.toLowerCase()) ? names[cell.toLowerCase()] : undefined));
  const header = named.every((name) => name !== undefined) && required.every((name) => named.includes(name)) ? named : undefined;
  const columns: string[] = header ?? required;
  const broken = new Set(parsed.errors.map((error) => error.row));
  const result: CsvResult<Example> = { examples: [], problems: [], rejected: "" };
  const rejected: string[][] = [];
  rows.forEach((row, index) => {
    if (header && index === 0) return;
    const problem = broken.has(index) ? "its double quotes do not match" : problemOf(row, columns);
    if (problem) {
      result.problems.push(`Row ${index + 1}: ${problem}.`);
      rejected.push(row);
    } else {
      result.examples.push(Object.fromEntries(columns.map((name, at) => [name, row[at]])) as Example);
    }
  });
  result.rejected = Papa.unparse(rejected, { newline: "\n" });
  return result;
}

function problemOf(row: string[], columns: string[]): string | undefined {
  if (row.length > columns.length) return `${row.length} columns where ${columns.join(",")} has ${columns.length}; put a text that has a comma in double quotes`;
  if (row.length < columns.length) return `the ${columns.at(-1)} is missing; write ${columns.join(",")}`;
  const empty = columns.find((_, at) => !row[at]);
  return empty ? `the ${empty} is empty` : undefined;
}

/** Tab or semicolon when the first line has them and no comma: what spreadsheets of some countries write. */
function delimiterOf(source: string): string {
  const line = source.split("\n", 1)[0] ?? "";
  if (line.includes("\t")) return "\t";
  return line.includes(";") && !line.includes(",") ? ";" : ",";
}
