/** The colour theme: the system's by default, light or dark where a person chooses so. */

import { need } from "./dom.js";

const NAMES = { auto: "Auto", light: "Light", dark: "Dark" } as const;
type Theme = keyof typeof NAMES;
const ORDER: Theme[] = ["auto", "light", "dark"];

/** Starts the theme button; `changed` runs after every change, also one of the system. */
export function startTheme(changed: () => void): void {
  let theme: Theme = ORDER.find((name) => name === remembered()) ?? "auto";
  const show = () => {
    document.documentElement.dataset.theme = theme; // the style sheet knows light and dark; auto is its default
    need("theme-name", HTMLSpanElement).textContent = NAMES[theme];
    changed();
  };
  need("theme", HTMLButtonElement).addEventListener("click", () => {
    theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length] ?? "auto";
    remember(theme);
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  show();
}

// Storage may be forbidden (private windows); the theme then lasts as long as the page.
function remembered(): string | null {
  try { return localStorage.getItem("theme"); } catch { return null; }
}
function remember(theme: Theme): void {
  try { localStorage.setItem("theme", theme); } catch { /* lasts as long as the page */ }
}
