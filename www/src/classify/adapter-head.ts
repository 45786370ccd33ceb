/** What the files of an adapter say of its head: how it reads the encoder, and its labels. */

import type { Pooling } from "./classes.js";

/** What was found. */
export interface Described {
  pooling: Pooling;
  /** Labels that the files name, or the number of classes where they only have a head of that size, or nothing. */
  labels: string[] | number | undefined;
}

/** What the page must know before a model can be made for the adapter: its pooling and its labels. */
export function describe(files: Record<string, Uint8Array>): Described {
  const config = json(files, "adapter_config.json") as { task_type?: string } | undefined;
  const pooling = config?.task_type === "SEQ_CLS" ? "pooler" : "mean";
  const listed = json(files, "labels.json") ?? (json(files, "head_config.json") as { labels?: unknown } | undefined)?.labels;
  const labels = Array.isArray(listed) && listed.every((label) => typeof label === "string") ? (listed as string[]) : classes(files);
  return { pooling, labels };
}

function json(files: Record<string, Uint8Array>, name: string): unknown {
  const content = files[name];
  if (!content) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(content));
  } catch (error) {
    throw new Error(`${name} is not valid JSON (${(error as Error).message}). Save the adapter again.`);
  }
}

/** Rows of the classifier in adapter_model.safetensors: Python's files have a head but no label names. */
function classes(files: Record<string, Uint8Array>): number | undefined {
  const content = files["adapter_model.safetensors"];
  if (!content || content.length < 8) return undefined;
  const length = new DataView(content.buffer, content.byteOffset).getUint32(0, true);
  if (length > content.length - 8) return undefined; // the library says what is wrong with the file
  try {
    const header = JSON.parse(new TextDecoder().decode(content.subarray(8, 8 + length))) as Record<string, { shape?: number[] }>;
    return Object.entries(header).find(([key]) => key.endsWith("classifier.bias"))?.[1].shape?.[0];
  } catch {
    return undefined;
  }
}
