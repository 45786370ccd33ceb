/** A person's own pairs, typed one by one or in files. */

import { need, onFiles, onPress } from "../dom.js";
import { hideError, showError } from "../error-banner.js";
import type { ExamplesPanel } from "../examples-panel.js";
import { count } from "../format.js";
import { readPairs } from "./pair-files.js";
import type { Pair } from "./pairs.js";

/** Problems of a file that are spelt out. */
const MOST_PROBLEMS = 3;

/** Starts the two fields and the drop zone. */
export function startPairInput(panel: ExamplesPanel<Pair>): void {
  const prompt = need("pair-prompt", HTMLTextAreaElement);
  const answer = need("pair-answer", HTMLTextAreaElement);
  const status = need("pair-status", HTMLParagraphElement);

  const addTyped = () => {
    const pair = { prompt: prompt.value.trim(), answer: answer.value.trim() };
    if (pair.prompt === "" || pair.answer === "") return showError("Nothing was added", "A pair needs a prompt and the answer it should get.");
    status.textContent = `${panel.add([pair])}.`;
    prompt.value = answer.value = "";
    prompt.focus();
  };

  const addFile = async (file: File) => {
    const { pairs, problems } = readPairs(file.name, await file.text());
    status.textContent = `${panel.add(pairs)}.`;
    hideError();
    if (problems.length > 0) {
      const more = problems.length > MOST_PROBLEMS ? ` And ${problems.length - MOST_PROBLEMS} more.` : "";
      showError(`${count(problems.length, "entry", "entries")} of ${file.name} could not be read`, problems.slice(0, MOST_PROBLEMS).join(" ") + more);
    } else if (pairs.length === 0) showError("Nothing was added", `There is no pair in ${file.name}.`);
  };

  onPress(need("add-pair", HTMLButtonElement), addTyped);
  answer.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    addTyped();
  });
  onFiles(need("pair-file", HTMLInputElement), (files) => {
    for (const file of files) void addFile(file).catch((error: unknown) => showError(`${file.name} could not be read`, error));
  });
}
