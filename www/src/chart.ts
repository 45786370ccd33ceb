/** The live loss curve: every step faintly, its running mean strongly. */

import uPlot from "uplot";
import { loss } from "./format.js";

/** Weight of the newest loss in the running mean. */
const NEWEST = 0.2;

/** The curve in its holder element; the holder's size is the plot's. */
export class LossChart {
  readonly #holder: HTMLElement;
  #plot: uPlot | undefined;
  #steps: number[] = [];
  #losses: number[] = [];
  #means: number[] = [];
  #total = 1;
  #frame = 0;

  constructor(holder: HTMLElement) {
    this.#holder = holder;
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(holder);
  }

  /** Empties the curve. */
  start(): void {
    this.#total = 1;
    this.#steps = [];
    this.#losses = [];
    this.#means = [];
    this.#holder.setAttribute("aria-label", "Loss curve, empty");
    this.#draw();
  }

  /** Adds one step of `total`; drawing waits for the next frame, so that fast runs cost one drawing a frame. */
  add(step: number, total: number, value: number): void {
    this.#total = total;
    const before = this.#means.at(-1) ?? value;
    this.#steps.push(step);
    this.#losses.push(value);
    this.#means.push(before + NEWEST * (value - before));
    this.#draw();
  }

  /** Says in words what the curve shows. */
  describe(): void {
    const first = this.#losses[0];
    const last = this.#means.at(-1);
    if (first === undefined || last === undefined) return;
    this.#holder.setAttribute("aria-label", `Loss curve: from ${loss(first)} to ${loss(last)} in ${this.#steps.length} steps`);
  }

  /** Builds the plot anew with the colours of the theme in force: a canvas does not follow CSS by itself. */
  restyle(): void {
    this.#plot?.destroy();
    this.#plot = new uPlot(this.#options(), this.#data(), this.#holder);
  }

  #data(): uPlot.AlignedData {
    return [this.#steps, this.#losses, this.#means];
  }

  #draw(): void {
    cancelAnimationFrame(this.#frame);
    this.#holder.toggleAttribute("data-empty", this.#steps.length === 0);
    this.#frame = requestAnimationFrame(() => this.#plot?.setData(this.#data()));
  }

  #size(): { width: number; height: number } {
    return { width: this.#holder.clientWidth || 320, height: this.#holder.clientHeight || 180 };
  }

  #options(): uPlot.Options {
    const accent = getComputedStyle(this.#holder).color;
    const muted = getComputedStyle(this.#holder.closest("figure")?.querySelector("figcaption") ?? this.#holder).color;
    const axis: uPlot.Axis = {
      stroke: muted,
      font: "12px system-ui, sans-serif",
      grid: { stroke: translucent(muted, 0.16), width: 1 },
      ticks: { show: false },
    };
    return {
      ...this.#size(),
      padding: [14, 18, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false, range: () => [1, Math.max(2, this.#total)] } },
      axes: [{ ...axis, size: 30, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] }, { ...axis, size: 46 }],
      series: [
        {},
        { stroke: translucent(muted, 0.55), width: 1.25, points: { show: false } },
        { stroke: accent, width: 2.5, points: { show: false } },
      ],
    };
  }
}

/** "rgb(1, 2, 3)" and 0.5 -> "rgba(1, 2, 3, 0.5)". */
function translucent(colour: string, alpha: number): string {
  return colour.replace(/^rgba?\(([^,]+,[^,]+,[^,)]+).*\)$/, `rgba($1, ${alpha})`);
}
