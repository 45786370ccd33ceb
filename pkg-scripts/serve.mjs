// A small static server for the demo page, the package and the base model, and nothing above them:
//   node serve.mjs [--port N]
// Also used by run.mjs and by the browser tests as a function.

import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { folders } from "./folders.mjs";

/** What the demo page promises: scripts from this site alone, and the model from this site or over https. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "connect-src 'self' https:",
  "img-src 'self' data: blob:",
  "style-src 'self'",
].join("; ");

/** What lets the page's workers share memory, and so the engine use several threads. */
const CROSS_ORIGIN_ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".wasm": "application/wasm",
  ".zip": "application/zip",
  ".safetensors": "application/octet-stream",
};

/** @returns address prefix -> folder, for the demo page as a visitor gets it */
export function demoMounts() {
  const { www, pkg, hub } = folders();
  return { "/": www, "/pkg/": pkg, "/hub/": hub };
}

/**
 * Serves folders on 127.0.0.1.
 * @param {object} [options]
 * @param {number} [options.port] 0 lets the system choose a free one
 * @param {Record<string, string>} [options.mounts] address prefix (with slashes) -> folder; the longest prefix wins
 * @param {boolean} [options.isolated] whether pages are cross-origin isolated
 * @param {Record<string, string>} [options.headers] sent with every answer, over the strict policy
 * @returns {Promise<{origin: string, close: () => Promise<void>}>}
 */
export async function serve({ port = 0, mounts = demoMounts(), isolated = true, headers = {} } = {}) {
  const given = { ...(isolated && CROSS_ORIGIN_ISOLATION), ...headers };
  const server = createServer((request, response) => {
    answer(request, response, mounts, given).catch((error) => {
      console.error(error);
      response.headersSent ? response.destroy() : finish(response, 500);
    });
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  const close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { origin: `http://127.0.0.1:${server.address().port}`, close };
}

async function answer(request, response, mounts, headers) {
  const always = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
    "Accept-Ranges": "bytes",
  };
  for (const [name, value] of Object.entries({ ...always, ...headers })) response.setHeader(name, value);
  if (request.method !== "GET" && request.method !== "HEAD") return finish(response, 405);
  const file = await locate(request.url, mounts);
  if (!file) return finish(response, 404);

  const etag = `"${file.size}-${file.mtimeMs}"`;
  response.setHeader("Content-Type", TYPES[extname(file.path)] ?? "application/octet-stream");
  response.setHeader("ETag", etag);
  if (request.headers["if-none-match"] === etag) return finish(response, 304);
  const range = byteRange(request.headers.range, file.size);
  if (range === "unsatisfiable") {
    response.setHeader("Content-Range", `bytes */${file.size}`);
    return finish(response, 416);
  }
  send(request, response, file, range);
}

/** Finds the file for an address: nothing outside its mount, symbolic links included. */
async function locate(url, mounts) {
  const path = decoded(url);
  const prefix = Object.keys(mounts)
    .filter((candidate) => path?.startsWith(candidate))
    .sort((a, b) => b.length - a.length)[0];
  if (prefix === undefined) return;
  try {
    const root = await realpath(mounts[prefix]);
    let found = await realpath(join(root, path.slice(prefix.length)));
    if (found !== root && !found.startsWith(root + sep)) return;
    if ((await stat(found)).isDirectory()) found = join(found, "index.html");
    const { size, mtimeMs } = await stat(found);
    return { path: found, size, mtimeMs };
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"].includes(error.code)) return;
    throw error;
  }
}

/** @returns the address's path, or nothing where it is malformed */
function decoded(url) {
  try {
    const path = decodeURIComponent(new URL(url, "http://localhost").pathname);
    return path.includes("\0") ? undefined : path;
  } catch {
    return undefined;
  }
}

/** One range of bytes, both ends included; several ranges are answered with the whole file, as RFC 9110 allows. */
function byteRange(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return undefined;
  const start = match[1] === "" ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const end = match[1] === "" || match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1);
  return start > end ? "unsatisfiable" : { start, end };
}

function send(request, response, file, range) {
  response.statusCode = range ? 206 : 200;
  response.setHeader("Content-Length", range ? range.end - range.start + 1 : file.size);
  if (range) response.setHeader("Content-Range", `bytes ${range.start}-${range.end}/${file.size}`);
  if (request.method === "HEAD") return response.end();
  const stream = createReadStream(file.path, range);
  stream.once("error", () => response.destroy());
  response.once("close", () => stream.destroy());
  stream.pipe(response);
}

function finish(response, status) {
  response.statusCode = status;
  if (status === 304) return response.end();
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  response.end(`${status}\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { values } = parseArgs({ options: { port: { type: "string", default: "0" } } });
  const { origin } = await serve({ port: Number(values.port) });
  console.log(`${origin}/?baseUrl=/hub`);
}
