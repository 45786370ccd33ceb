/** The base model's files, fetched once for all devices and every use. */

const NAMES = ["config.json", "tokenizer.json", "model.safetensors"] as const;

/** The files by name, as `Model.fromPretrained` takes them. */
export type ModelFiles = Record<(typeof NAMES)[number], Blob>;

/** Fetches them from a Hub (`baseUrl`, Hugging Face where it is empty) or, where `model` is an address, from that folder. */
export async function fetchModel(model: string, baseUrl: string, signal: AbortSignal): Promise<ModelFiles> {
  const isAddress = /^(https?:\/\/|\.{0,2}\/)/.test(model);
  const folder = isAddress ? model : `${baseUrl || "https://huggingface.co"}/${model}/resolve/main`;
  const files: Partial<ModelFiles> = {};
  // One after the other: where there is no configuration, it is that which is said to be missing, and no weights are fetched in vain.
  for (const name of NAMES) files[name] = await fetchFile(`${folder}/${name}`, signal);
  return files as ModelFiles;
}

async function fetchFile(address: string, signal: AbortSignal): Promise<Blob> {
  const response = await fetch(address, { signal }).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw new Error(`${address} cannot be reached (${String(cause)}): check the model id and the base URL`);
  });
  if (!response.ok) throw new Error(`${address} answered ${response.status}: check the model id and the base URL`);
  return response.blob();
}
