/** Makes the page itself work offline; the library keeps the model in its own cache. */

/** Longest wait, in milliseconds, for the service worker to take over the first visit. */
const PATIENCE = 2000;

/** Registers the service worker and waits until it sees this page's requests, so that the package's later files are kept too. */
export async function keepForOffline(): Promise<void> {
  if (!("serviceWorker" in navigator)) return; // not over plain http: the page then needs its server
  const workers = navigator.serviceWorker;
  try {
    await workers.register("sw.js");
    if (!workers.controller) await Promise.race([
      new Promise((resolve) => workers.addEventListener("controllerchange", resolve, { once: true })),
      new Promise((resolve) => setTimeout(resolve, PATIENCE)),
    ]);
    // What was fetched before the take-over is fetched once more, through it.
    const early = performance.getEntriesByType("resource").map((entry) => entry.name);
    await Promise.all([location.href.split(/[?#]/)[0] ?? "./", ...early]
      .filter((address) => address.startsWith(location.origin))
      .map((address) => fetch(address, { cache: "force-cache" }).catch(() => undefined)));
  } catch {
    // Storage or workers are forbidden here: everything but a reload without a server still works.
  }
}
