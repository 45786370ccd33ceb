/** How the page writes numbers: bytes, shares, durations and counts. */

/** 90868376 -> "90.9 MB" (decimal units, as download sizes are given). */
export function bytes(count: number): string {
  if (count < 1e3) return `${count} B`;
  if (count < 1e6) return `${(count / 1e3).toFixed(count < 1e4 ? 1 : 0)} kB`;
  return `${(count / 1e6).toFixed(count < 1e8 ? 1 : 0)} MB`;
}

/** 0.873 -> "87.3 %". */
export function percent(share: number, digits = 1): string {
  return `${(share * 100).toFixed(digits)} %`;
}

/** 75200 ms -> "1 min 15 s"; 2400 ms -> "2.4 s". */
export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** 1, "example" -> "1 example"; 3 -> "3 examples". */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${number.toLocaleString("en")} ${number === 1 ? noun : plural}`;
}

/** "asked for" -> "Asked for.": the library's short reasons and messages, as the page's own prose has them. */
export function sentence(text: string): string {
  const start = /^[a-z]+[ ,]/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text; // not config.json, not https:
  return /[.!?]$/.test(start) ? start : `${start}.`;
}

/** A loss with three digits that matter. */
export function loss(value: number): string {
  return Number.isFinite(value) ? value.toPrecision(3) : "not a number";
}
