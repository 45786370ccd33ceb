// A server of files for one test, with the faults that servers have.

import { once } from "node:events";
import { createServer } from "node:http";

/**
 * Serves `files` by path; a value may also be a request handler. The answer has the server's address, the requests so far, and `close`.
 */
export async function serveFiles(files, { ranges = true } = {}) {
  const requests = [];
  const server = createServer((request, response) => {
    requests.push({ path: request.url, range: request.headers.range ?? null });
    const found = files[request.url];
    if (typeof found === "function") return found(request, response);
    if (!found) return response.writeHead(404).end("not found");
    const range = ranges && /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    if (!range) return response.writeHead(200, { "content-length": found.length }).end(found);
    const from = Number(range[1]);
    const part = found.subarray(from, Number(range[2]) + 1);
    response.writeHead(206, { "content-length": part.length, "content-range": `bytes ${from}-${from + part.length - 1}/${found.length}` }).end(part);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { url: `http://127.0.0.1:${server.address().port}`, requests, close };
}

/** A handler that announces all of `bytes`, sends half and breaks the connection. */
export function cutOff(bytes) {
  return (_request, response) => {
    response.writeHead(200, { "content-length": bytes.length });
    response.write(bytes.subarray(0, bytes.length / 2), () => setTimeout(() => response.destroy(), 20));
  };
}
