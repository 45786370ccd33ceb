// Adapters as zip files. A zip is untrusted: nothing is inflated that it could not really hold.

import { unzipSync, zipSync } from "fflate";
import { Ia3Error } from "./errors.js";
import type { AdapterFiles } from "./types.js";

/** Bytes of all files together; an adapter has about 0.1 MB. */
const MOST_BYTES = 64 * 1024 * 1024;

/** Deflate cannot shrink anything further than this. */
const MOST_RATIO = 1032;

/**
 * An adapter's files as one zip, for a download.
 *
 * @param files what `model.saveAdapter` returned
 */
export function zipAdapter(files: AdapterFiles): Uint8Array {
  return zipSync(files);
}

/** The files of a zip by path. Throws `bad-adapter` if it is damaged or would inflate to more than 64 MB. */
export function unzip(zip: Uint8Array): Record<string, Uint8Array> {
  let total = 0;
  try {
    return unzipSync(zip, {
      filter: ({ name, size, originalSize }) => {
        total += originalSize;
        if (size > zip.length || originalSize > size * MOST_RATIO) throw refused(`${name} claims ${originalSize} bytes in ${size}`);
        if (total > MOST_BYTES) throw refused(`it would inflate to more than ${MOST_BYTES} bytes`);
        return !name.endsWith("/");
      },
    });
  } catch (error) {
    throw error instanceof Ia3Error ? error : refused(error instanceof Error ? error.message : String(error), error);
  }
}

/** Whether bytes begin like a zip. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b;
}

function refused(reason: string, cause?: unknown): Ia3Error {
  return new Ia3Error("bad-adapter", `the zip cannot be read: ${reason}; pass a zip of an adapter folder`, {}, { cause });
}
