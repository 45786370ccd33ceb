/** The adapters panel: choose the active one, rename, delete, download as a zip, take one in. */

import { zipAdapter } from "ia3-web";
import { readAdapter } from "./adapter-files.js";
import { announce, download, element, icon, need, onFiles, onPress, setAvailable } from "./dom.js";
import { showError } from "./error-banner.js";
import { bytes, count } from "./format.js";
import { sizeOf } from "./report.js";
import type { Runner } from "./runner.js";
import type { SavedAdapter, State } from "./state.js";
import type { Workbench } from "./workbench.js";

/** What a page has to know of adapters beside their files. */
export interface AdapterKind<Adapter extends SavedAdapter> {
  /** Makes an adapter of files that were taken in, or says what is missing. */
  adapter: (saved: SavedAdapter) => Adapter;
  /** What is to be said of one in the list. */
  facts: (adapter: Adapter) => string[];
}

/** Starts the panel; adapters are kept in `state` and put into the workbench's model when they are used. */
export function startAdaptersPanel<Needs, Example, Adapter extends SavedAdapter & Needs>(
  state: State<Example, Adapter>, runner: Runner, workbench: Workbench<Needs>, kind: AdapterKind<Adapter>,
): void {
  const list = need("adapter-list", HTMLUListElement);
  const save = need("download-adapter", HTMLButtonElement);
  let renaming: string | undefined;

  const take = async (chosen: File[], signal: AbortSignal) => {
    const { name, files } = await readAdapter(chosen);
    const adapter = kind.adapter({ name: freeName(name), files, origin: "loaded" });
    const model = await workbench.use(adapter, signal); // the library checks the files; a bad one is not kept
    state.keep({ ...adapter, trainableParameters: model.trainableParameters(adapter.name).trainable });
    announce(`Adapter ${adapter.name} loaded`);
  };

  /** `name`, or `name-2`, `name-3`, ... when it is taken: nothing is overwritten. */
  const freeName = (name: string): string => {
    for (let number = 1; ; number++) {
      const candidate = number === 1 ? name : `${name}-${number}`;
      if (!state.find(candidate)) return candidate;
    }
  };

  const remove = async (adapter: Adapter) => {
    await workbench.forget(adapter.name);
    const adapters = state.data.adapters.filter((each) => each !== adapter);
    const active = state.data.active === adapter.name ? adapters.at(-1)?.name : state.data.active;
    state.update({ adapters, active });
    announce(`Adapter ${adapter.name} deleted`);
    need("adapters-title", HTMLHeadingElement).focus();
  };

  /** The library has no rename: the adapter leaves under its old name and comes back, when it is next used, under the new one. */
  const rename = async (adapter: Adapter, name: string) => {
    renaming = undefined;
    if (name === "" || name === adapter.name) return state.update({});
    if (state.find(name)) throw new Error(`There is an adapter "${name}" already. Choose another name.`);
    await workbench.forget(adapter.name);
    const adapters = state.data.adapters.map((each) => (each === adapter ? { ...adapter, name } : each));
    state.update({ adapters, active: state.data.active === adapter.name ? name : state.data.active });
  };

  const row = (adapter: Adapter): HTMLLIElement => {
    const radio = element("input", { type: "radio", name: "adapter", value: adapter.name });
    radio.checked = adapter.name === state.data.active;
    radio.addEventListener("change", () => state.update({ active: adapter.name }));
    const edit = element("button", { type: "button", class: "icon", title: "Rename", "aria-label": `Rename ${adapter.name}` }, icon("pencil"));
    onPress(edit, () => { renaming = adapter.name; draw(); });
    const discard = element("button", { type: "button", class: "icon", title: "Delete", "aria-label": `Delete ${adapter.name}` }, icon("cross"));
    onPress(discard, () => void runner.run("adapters", "The adapter was not deleted", () => remove(adapter)));
    for (const button of [edit, discard]) setAvailable(button, !state.data.busy);
    const label = element("label", {}, radio, element("span", {}, element("b", {}, adapter.name), element("small", {}, factsOf(adapter, kind.facts(adapter)))));
    const made = element("li", { "data-adapter": adapter.name }, label, edit, discard);
    if (renaming === adapter.name) made.append(renameForm(adapter));
    return made;
  };

  const renameForm = (adapter: Adapter): HTMLFormElement => {
    const input = element("input", { type: "text", value: adapter.name, maxlength: "40", "aria-label": `New name of ${adapter.name}` });
    const form = element("form", {}, input, element("button", {}, "Save"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void runner.run("adapters", "The adapter was not renamed", () => rename(adapter, input.value.trim()));
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { renaming = undefined; draw(); }
    });
    queueMicrotask(() => { input.focus(); input.select(); });
    return form;
  };

  const draw = () => {
    const focused = list.contains(document.activeElement) && document.activeElement instanceof HTMLInputElement ? document.activeElement.value : undefined;
    list.replaceChildren(...state.data.adapters.map(row));
    if (focused !== undefined && renaming === undefined) list.querySelector<HTMLInputElement>(`input[value="${CSS.escape(focused)}"]`)?.focus();
    const number = state.data.adapters.length;
    need("no-adapters", HTMLParagraphElement).hidden = number > 0;
    need("adapters-tag", HTMLSpanElement).textContent = number > 0 ? count(number, "adapter") : "None yet";
    need("adapters-card", HTMLElement).toggleAttribute("data-done", number > 0);
    save.disabled = number === 0;
  };

  onPress(save, () => {
    const adapter = state.active();
    if (adapter) download(`${adapter.name}.zip`, zipAdapter(adapter.files), "application/zip");
  });
  onFiles(need("drop-adapter", HTMLInputElement), (chosen) => {
    if (state.data.busy) return showError("The adapter was not loaded", "The page is busy. Wait for it to finish, or stop it, and drop the adapter again.");
    void runner.run("adapters", "The adapter was not loaded", (signal) => take(chosen, signal));
  });
  state.subscribe(draw);
  draw();
}

function factsOf({ origin, files, trainableParameters, run }: SavedAdapter, more: string[]): string {
  return [
    run ? `${origin}, ${count(run.steps, "step")}` : origin,
    ...more,
    ...(trainableParameters === undefined ? [] : [count(trainableParameters, "parameter")]),
    bytes(sizeOf(files)),
  ].map((fact) => fact.replaceAll(" ", "\u00a0")).join(" · "); // lines break between facts only
}
