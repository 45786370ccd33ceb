// Which adapters a call uses, as the caller writes it and as the engine takes it.

import { bad } from "./check.js";
import type { AdapterSelection } from "./ia3_web.js";
import type { ActiveAdapter, AdapterChoice } from "./types.js";

/** Names of adapters as a list; `null` is the base model, an empty one. */
export function activeNames(choice: ActiveAdapter): string[] {
  if (choice === null) return [];
  if (typeof choice === "string") return [choice];
  if (Array.isArray(choice) && choice.every((name) => typeof name === "string")) return [...(choice as readonly string[])];
  throw bad("setAdapter", "pass a name, null for the base model, or a list of names whose vectors multiply", {});
}

/** What the `adapter` option of a call selects; left out, the active adapters. */
export function selection(where: string, choice: AdapterChoice | undefined, active: readonly string[], rows: number): AdapterSelection {
  if (choice === undefined) return { active: [...active] };
  if (choice === null || typeof choice === "string") return { active: activeNames(choice) };
  if (!Array.isArray(choice) || !choice.every((name) => name === null || typeof name === "string")) {
    throw bad(where, "option adapter must be a name, null, or one name or null for each row", { option: "adapter" });
  }
  if (choice.length !== rows) {
    const text = `option adapter has ${choice.length} entries for ${rows} rows: pass one for each (several at once are set by setAdapter)`;
    throw bad(where, text, { option: "adapter", expected: rows, actual: choice.length });
  }
  return { rows: [...(choice as readonly (string | null)[])] };
}
