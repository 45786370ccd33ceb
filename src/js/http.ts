// One HTTP request as the package makes them: every way to fail has an `Ia3Error` that names the URL.

import { Ia3Error } from "./errors.js";

/** `globalThis.fetch`, or a stand-in. */
export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

/** The answer to a GET request, if it is a file. */
export async function request(fetch: Fetch, url: string, init: RequestInit = {}): Promise<Response> {
  const response = await answer(fetch, url, init);
  if (!response.ok) {
    throw new Ia3Error("file-unreachable", `${url} answered ${response.status}: ${advice(response.status)}`, {
      url,
      status: response.status,
    });
  }
  // Servers of single-page apps answer every unknown path with their page.
  if (response.headers.get("content-type")?.startsWith("text/html")) {
    throw new Ia3Error("file-unreachable", `${url} is a web page and not a file: check the folder or id`, { url, status: response.status });
  }
  return response;
}

/** Whether an error says that there is no such file: a server answers 404 for it, or with a page of its own. */
export function isAbsent(error: unknown): boolean {
  if (!(error instanceof Ia3Error) || error.code !== "file-unreachable") return false;
  const { status, missing } = error.details;
  return status === 404 || status === 403 || status === 200 || missing !== undefined;
}

/** The size a server announced; `undefined` where it says nothing or announces the compressed size. */
export function announcedLength(response: Response): number | undefined {
  const length = response.headers.get("content-length");
  const coding = response.headers.get("content-encoding") ?? "identity";
  return length !== null && coding === "identity" ? Number(length) : undefined;
}

/** The size of a whole file, of which an answer may be a part; `undefined` where the server does not say. */
export function wholeLength(response: Response): number | undefined {
  if (response.status !== 206) return announcedLength(response);
  const [, total] = response.headers.get("content-range")?.split("/") ?? [];
  return total === undefined || total === "*" ? undefined : Number(total);
}

/** The chunks of a stream, which is cancelled when the consumer stops early. (Safari's streams cannot be iterated.) */
export async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      ended = done;
      if (done) return;
      yield value;
    }
  } finally {
    if (!ended) await reader.cancel().catch(() => {});
  }
}

/** Chunks in one piece. */
export async function join(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: BlobPart[] = [];
  for await (const chunk of chunks) parts.push(chunk as Uint8Array<ArrayBuffer>);
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function answer(fetch: Fetch, url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (cause) {
    init.signal?.throwIfAborted();
    const text = `${url} cannot be reached: the device is offline, the server is down, or its CORS rules or this page's CSP forbid it`;
    throw new Ia3Error("file-unreachable", text, { url }, { cause });
  }
}

function advice(status: number): string {
  if (status === 404) return "check the id, the revision and the file name";
  if (status === 401 || status === 403) return "the model does not exist, is private or is gated; serve the files yourself";
  return "try again later";
}
