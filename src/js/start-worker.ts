// Starts workers whose scripts belong to the package.

/**
 * `make` starts the worker of the script `name` beside this one. Browsers start no worker from another origin (a CDN), but a worker may
 * import from one.
 */
export function startWorker(name: string, make: () => Worker): Worker {
  const own = new URL(import.meta.url);
  if (!own.protocol.startsWith("http") || own.origin === globalThis.location?.origin) return make();
  const code = `import ${JSON.stringify(new URL(name, own).href)};`;
  return new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module" });
}
