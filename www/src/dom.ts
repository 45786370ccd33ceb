/** Small typed helpers over the page's elements. */

/** The element with this `data-testid` or `id`; throws when the page does not have it, so that a typo shows at once. */
export function need<T extends Element>(name: string, kind: new () => T): T {
  const found = document.querySelector(`[data-testid="${name}"]`) ?? document.getElementById(name);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} "${name}"`);
  return found;
}

/** A new element with attributes and children. Text goes in as text nodes, never as markup. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const ICONS = { cross: "M7 7l10 10M17 7L7 17", pencil: "M5 19l1-4L16 5l3 3L9 18z" } as const;

/** An icon, hidden from screen readers: the button around it carries the words. */
export function icon(name: keyof typeof ICONS): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(svg.namespaceURI, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg as SVGSVGElement;
}

/**
 * Marks a button as unavailable without taking the keyboard focus from it, which `disabled` would do.
 * `onPress` ignores presses of such a button.
 */
export function setAvailable(button: HTMLButtonElement, available: boolean): void {
  if (available) button.removeAttribute("aria-disabled");
  else button.setAttribute("aria-disabled", "true");
}

/** Calls `action` when an available button is pressed. */
export function onPress(button: HTMLButtonElement, action: () => void): void {
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-disabled") !== "true") action();
  });
}

/** Calls `accept` with files chosen in or dropped on a `.drop` label and its file input. */
export function onFiles(input: HTMLInputElement, accept: (files: File[]) => void): void {
  const zone = input.closest(".drop") as HTMLElement;
  const over = (on: boolean) => zone.toggleAttribute("data-over", on);
  zone.addEventListener("dragover", (event) => { event.preventDefault(); over(true); });
  zone.addEventListener("dragleave", () => over(false));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    if (event.dataTransfer?.files.length) accept([...event.dataTransfer.files]);
  });
  input.addEventListener("change", () => {
    if (input.files?.length) accept([...input.files]);
    input.value = ""; // the same file may be chosen again
  });
}

/** Tells screen readers something that sighted people see on the page. */
export function announce(text: string): void {
  need("announcer", HTMLParagraphElement).textContent = text;
}

/** Offers bytes or text to the person as a download. */
export function download(name: string, part: string | Uint8Array, type: string): void {
  const url = URL.createObjectURL(new Blob([part as BlobPart], { type }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser has taken its copy long before
}
