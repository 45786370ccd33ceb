// The files of an adapter's folder: those that PEFT reads, and our own beside them.

import { Ia3Error } from "./errors.js";
import type { AdapterFiles } from "./types.js";

/** What makes a folder an adapter, and all that PEFT reads. */
export const PEFT_FILES = ["adapter_config.json", "adapter_model.safetensors"] as const;

/** The vectors that PEFT does not know: without them the adapter would be another. */
const SHIFT = "ia3_shift.safetensors";

/** What a folder may hold beside those: the head and the labels, shifts, and what PEFT has no option for. */
export const OWN_FILES = ["head.safetensors", "head_config.json", "labels.json", SHIFT, "ia3_options.json"] as const;

/** The files of an adapter that PEFT reads; refuses an adapter that would be another without the rest. */
export function peftFiles(name: string, files: AdapterFiles): AdapterFiles {
  if (SHIFT in files) {
    const text = `adapter "${name}" has a shift, which PEFT knows no vector for and would leave out`;
    throw new Ia3Error("bad-adapter", `${text}: save it without format "peft", or merge it into the model`, { adapter: name, file: SHIFT });
  }
  return Object.fromEntries(Object.entries(files).filter(([file]) => (PEFT_FILES as readonly string[]).includes(file)));
}
