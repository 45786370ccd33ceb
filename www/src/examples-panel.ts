/** The examples panel: the sample task, a person's own lines and files, the list, and undo for everything that removes. */

import { announce, element, icon, need, onFiles, onPress } from "./dom.js";
import { hideError, showError } from "./error-banner.js";
import { parseExamples } from "./csv.js";
import { count } from "./format.js";
import { holdOut } from "./hold-out.js";
import type { Example, Split, State } from "./state.js";

/** Rows drawn of a long list: beyond that the page would get slow and nobody reads on. */
const MOST_SHOWN = 500;

/** Problems of a CSV text that are spelt out. */
const MOST_PROBLEMS = 3;

/** Starts the panel; `task` is the address of the sample task. */
export function startExamplesPanel(state: State, task: string): void {
  const list = need("example-list", HTMLDivElement);
  const box = need("csv-text", HTMLTextAreaElement);
  const status = need("csv-status", HTMLParagraphElement);
  const undo = need("undo-examples", HTMLButtonElement);
  const undoLine = need("undo-line", HTMLParagraphElement);
  const radios = [...document.querySelectorAll<HTMLInputElement>("input[name=split]")];
  const split = () => (radios.find((radio) => radio.checked)?.value ?? "train") as Split;
  let before: { train: Example[]; test: Example[] } | undefined;

  /** Sets the examples; what they were can be brought back. */
  const replace = (change: { train?: Example[]; test?: Example[] }, said: string) => {
    before = { train: state.data.train, test: state.data.test };
    undoLine.hidden = false;
    need("undo-what", HTMLSpanElement).textContent = `${said}.`;
    announce(said);
    hideError(); // it was about the examples there were
    state.update(change);
  };

  const add = (source: string, name: string) => {
    const { examples, problems, rejected } = parseExamples(source);
    box.value = rejected;
    const said = `${count(examples.length, "example")} added to ${split() === "train" ? "training" : "test"}`;
    if (examples.length > 0) replace({ [split()]: [...state.data[split()], ...examples] }, said);
    status.textContent = problems.length > 0 ? "The rows left in the box need a change." : `${said}.`;
    if (problems.length > 0) {
      const shown = problems.slice(0, MOST_PROBLEMS).join(" ");
      showError(`${count(problems.length, "row")} of ${name} could not be read`, problems.length > MOST_PROBLEMS ? `${shown} And ${problems.length - MOST_PROBLEMS} more.` : shown);
    } else if (examples.length === 0) showError("Nothing was added", `There is no example in ${name}. Write one a line: text,label.`);
  };

  const draw = () => {
    const shown = state.data[split()];
    const rows = shown.slice(0, MOST_SHOWN).map((example) => row(example, () => {
      replace({ [split()]: state.data[split()].filter((each) => each !== example) }, "1 example removed");
      list.focus(); // the pressed button is gone with its row
    }));
    if (shown.length > MOST_SHOWN) rows.push(element("li", {}, `and ${(shown.length - MOST_SHOWN).toLocaleString("en")} more`));
    list.querySelector("ul")?.replaceChildren(...rows);
    const empty = list.querySelector<HTMLElement>(".empty");
    if (empty) empty.hidden = shown.length > 0;
    need("label-counts", HTMLUListElement).replaceChildren(...countsOf(shown).map(([label, number]) =>
      element("li", { class: "chip" }, label, element("b", {}, String(number)))));
    need("train-count", HTMLElement).textContent = String(state.data.train.length);
    need("test-count", HTMLElement).textContent = String(state.data.test.length);
    need("hold-out", HTMLButtonElement).hidden = state.data.train.length === 0 || state.data.test.length > 0;
    need("clear-examples", HTMLButtonElement).hidden = shown.length === 0;
    need("examples-tag", HTMLSpanElement).textContent = shown.length > 0 ? count(countsOf(state.data.train).length, "label") : "None yet";
    need("examples-card", HTMLElement).toggleAttribute("data-done", countsOf(state.data.train).length > 1);
  };

  onPress(need("load-sample", HTMLButtonElement), () => {
    fetchTask(task).then(
      (sample) => {
        need("own-examples", HTMLDetailsElement).open = false;
        replace(sample, `Sample task loaded: ${sample.train.length} to train, ${sample.test.length} to test`);
      },
      (error: unknown) => showError("The sample task did not load", error),
    );
  });
  onPress(need("add-examples", HTMLButtonElement), () => add(box.value, "your text"));
  onFiles(need("csv-file", HTMLInputElement), (files) => {
    for (const file of files) void file.text().then((source) => add(source, file.name), (error: unknown) => showError(`${file.name} could not be read`, error));
  });
  onPress(need("hold-out", HTMLButtonElement), () => {
    const parts = holdOut(state.data.train);
    replace(parts, `${count(parts.test.length, "example")} held out for testing`);
  });
  onPress(need("clear-examples", HTMLButtonElement), () => replace({ [split()]: [] }, `${count(state.data[split()].length, "example")} cleared`));
  onPress(undo, () => {
    undoLine.hidden = true;
    list.focus();
    if (before) state.update(before);
  });
  for (const radio of radios) radio.addEventListener("change", draw);
  state.subscribe((changed) => { if (changed.train || changed.test) draw(); });
  draw();
}

function row(example: Example, remove: () => void): HTMLLIElement {
  const text = example.textPair ? `${example.text} | ${example.textPair}` : example.text;
  const button = element("button", { type: "button", class: "icon", "aria-label": `Remove: ${text}` }, icon("cross"));
  button.addEventListener("click", remove);
  return element("li", {}, element("span", {}, text), element("span", { class: "chip" }, example.label), button);
}

function countsOf(examples: Example[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { label } of examples) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts].sort();
}

async function fetchTask(address: string): Promise<{ train: Example[]; test: Example[] }> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address} answered ${response.status}. Check the address after ?task=.`);
  const { train, test } = (await response.json()) as { train?: Example[]; test?: Example[] };
  if (!Array.isArray(train)) throw new Error(`${address} has no list "train" of {text, label}.`);
  return { train, test: test ?? [] };
}
