/** The examples panel: the sample task, the list, holding out, and undo for everything that removes. */

import { announce, element, icon, need, onPress } from "./dom.js";
import { hideError, showError } from "./error-banner.js";
import { count } from "./format.js";
import { holdOut } from "./hold-out.js";
import type { SavedAdapter, Split, State } from "./state.js";

/** Rows drawn of a long list: beyond that the page would get slow and nobody reads on. */
const MOST_SHOWN = 500;

/** What a page has to know of its examples. */
export interface ExampleKind<Example> {
  /** What the list shows of one. */
  cells: (example: Example) => Node[];
  /** The same in words. */
  text: (example: Example) => string;
  /** What is counted and held out for itself: the label, where examples have one. */
  group: (example: Example) => string;
  /** What is said of the training examples beside the title. */
  tag: (train: Example[]) => string;
  /** Whether they are enough to train on. */
  enough: (train: Example[]) => boolean;
  /** Takes what a task file says beside its examples. */
  task?: (file: Record<string, unknown>) => void;
}

/** Where a person's own examples come in. */
export interface ExamplesPanel<Example> {
  /** Adds to the examples that are shown, and says so; returns what was said. */
  add: (examples: Example[]) => string;
}

/** Starts the panel; `task` is the address of the sample task. */
export function startExamplesPanel<Example, Adapter extends SavedAdapter>(
  state: State<Example, Adapter>, kind: ExampleKind<Example>, task: string,
): ExamplesPanel<Example> {
  const list = need("example-list", HTMLDivElement);
  const undo = need("undo-examples", HTMLButtonElement);
  const undoLine = need("undo-line", HTMLParagraphElement);
  const radios = [...document.querySelectorAll<HTMLInputElement>("input[name=split]")];
  const split = () => (radios.find((radio) => radio.checked)?.value ?? "train") as Split;
  const shown = () => state.data[split()];
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
  const replaceShown = (examples: Example[], said: string) => replace(split() === "train" ? { train: examples } : { test: examples }, said);

  const row = (example: Example): HTMLLIElement => {
    const button = element("button", { type: "button", class: "icon", "aria-label": `Remove: ${kind.text(example)}` }, icon("cross"));
    button.addEventListener("click", () => {
      replaceShown(shown().filter((each) => each !== example), "1 example removed");
      list.focus(); // the pressed button is gone with its row
    });
    return element("li", {}, ...kind.cells(example), button);
  };

  const draw = () => {
    const { train, test } = state.data;
    const rows = shown().slice(0, MOST_SHOWN).map(row);
    if (shown().length > MOST_SHOWN) rows.push(element("li", {}, `and ${(shown().length - MOST_SHOWN).toLocaleString("en")} more`));
    list.querySelector("ul")?.replaceChildren(...rows);
    const empty = list.querySelector<HTMLElement>(".empty");
    if (empty) empty.hidden = shown().length > 0;
    document.getElementById("label-counts")?.replaceChildren(...countsOf(shown().map(kind.group)).map(([label, number]) =>
      element("li", { class: "chip" }, label, element("b", {}, String(number)))));
    need("train-count", HTMLElement).textContent = String(train.length);
    need("test-count", HTMLElement).textContent = String(test.length);
    need("hold-out", HTMLButtonElement).hidden = train.length === 0 || test.length > 0;
    need("clear-examples", HTMLButtonElement).hidden = shown().length === 0;
    need("examples-tag", HTMLSpanElement).textContent = shown().length > 0 ? kind.tag(train) : "None yet";
    need("examples-card", HTMLElement).toggleAttribute("data-done", kind.enough(train));
  };

  onPress(need("load-sample", HTMLButtonElement), () => {
    fetchTask<Example>(task).then(
      ({ train, test, file }) => {
        kind.task?.(file);
        need("own-examples", HTMLDetailsElement).open = false;
        replace({ train, test }, `Sample task loaded: ${train.length} to train, ${test.length} to test`);
      },
      (error: unknown) => showError("The sample task did not load", error),
    );
  });
  onPress(need("hold-out", HTMLButtonElement), () => {
    const parts = holdOut(state.data.train, kind.group);
    replace(parts, `${count(parts.test.length, "example")} held out for testing`);
  });
  onPress(need("clear-examples", HTMLButtonElement), () => replaceShown([], `${count(shown().length, "example")} cleared`));
  onPress(undo, () => {
    undoLine.hidden = true;
    list.focus();
    if (before) state.update(before);
  });
  for (const radio of radios) radio.addEventListener("change", draw);
  state.subscribe((changed) => { if (changed.train || changed.test) draw(); });
  draw();

  return {
    add: (examples) => {
      const said = `${count(examples.length, "example")} added to ${split() === "train" ? "training" : "test"}`;
      if (examples.length > 0) replaceShown([...shown(), ...examples], said);
      return said;
    },
  };
}

function countsOf(groups: string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const group of groups) counts.set(group, (counts.get(group) ?? 0) + 1);
  return [...counts].sort();
}

async function fetchTask<Example>(address: string): Promise<{ train: Example[]; test: Example[]; file: Record<string, unknown> }> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address} answered ${response.status}. Check the address after ?task=.`);
  const file = (await response.json()) as Record<string, unknown>;
  const { train, test = [] } = file as { train?: Example[]; test?: Example[] };
  if (!Array.isArray(train)) throw new Error(`${address} has no list "train" of examples.`);
  return { train, test, file };
}
