/** A person's own labelled sentences, typed, pasted or in files, and how the list shows them. */

import { type Columns, parseExamples } from "../csv.js";
import { element, need, onFiles, onPress } from "../dom.js";
import { showError } from "../error-banner.js";
import type { ExampleKind, ExamplesPanel } from "../examples-panel.js";
import { count } from "../format.js";
import { type Example, labelsOf } from "./classes.js";

/** Problems of a CSV text that are spelt out. */
const MOST_PROBLEMS = 3;

const COLUMNS: Columns<Example> = {
  required: ["text", "label"],
  names: {
    text: "text", sentence: "text", sentence1: "text", text_pair: "textPair", textpair: "textPair", sentence2: "textPair", label: "label",
  },
};

/** Texts with their labels. */
export const LABELLED: ExampleKind<Example> = {
  cells: (example) => [element("span", {}, textOf(example)), element("span", { class: "chip" }, example.label)],
  text: textOf,
  group: ({ label }) => label,
  tag: (train) => count(labelsOf(train).length, "label"),
  enough: (train) => labelsOf(train).length > 1,
};

/** Starts the box for lines `text,label` and the drop zone for CSV files. */
export function startLabelledInput(panel: ExamplesPanel<Example>): void {
  const box = need("csv-text", HTMLTextAreaElement);
  const status = need("csv-status", HTMLParagraphElement);

  const add = (source: string, name: string) => {
    const { examples, problems, rejected } = parseExamples(source, COLUMNS);
    box.value = rejected;
    const said = panel.add(examples);
    status.textContent = problems.length > 0 ? "The rows left in the box need a change." : `${said}.`;
    if (problems.length > 0) {
      const shown = problems.slice(0, MOST_PROBLEMS).join(" ");
      showError(`${count(problems.length, "row")} of ${name} could not be read`, problems.length > MOST_PROBLEMS ? `${shown} And ${problems.length - MOST_PROBLEMS} more.` : shown);
    } else if (examples.length === 0) showError("Nothing was added", `There is no example in ${name}. Write one a line: text,label.`);
  };

  onPress(need("add-examples", HTMLButtonElement), () => add(box.value, "your text"));
  onFiles(need("csv-file", HTMLInputElement), (files) => {
    for (const file of files) void file.text().then((source) => add(source, file.name), (error: unknown) => showError(`${file.name} could not be read`, error));
  });
}

function textOf({ text, textPair }: Example): string {
  return textPair ? `${text} | ${textPair}` : text;
}
