/** Makes the page itself work offline; the library keeps the model in its own cache. */

/** Longest wait, in milliseconds, for the service worker of a first visit; it takes a fraction of a second unless the machine is busy. */
const PATIENCE = 15_000;

/**
 * Registers the service worker. Resolves when it sees this page's requests, or when it is clear that it will not; what the
 * page fetched before that is fetched once more through it.
 */
export async function keepForOffline(): Promise<void> {
  if (!("serviceWorker" in navigator)) return; // not over plain http: the page then needs its server
  const workers = navigator.serviceWorker;
  try {
    const registration = await workers.register("sw.js");
    if (!workers.controller) {
      if (registration.active) return; // a reload that asked to go past the worker
      await Promise.race([takeOver(workers), new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
    }
  } catch {
    return; // storage or workers are forbidden here: everything but a reload without a server still works
  }
  refetchEarly();
}

function takeOver(workers: ServiceWorkerContainer): Promise<unknown> {
  return new Promise((resolve) => {
    workers.addEventListener("controllerchange", resolve, { once: true });
    if (workers.controller) resolve(undefined);
  });
}

function refetchEarly(): void {
  const seen = new Set<string>();
  const refetch = (address: string) => {
    if (seen.has(address) || !address.startsWith(location.origin)) return;
    seen.add(address);
    void fetch(address).catch(() => undefined); // most answers are "not modified"; offline, the worker has the file already
  };
  refetch(location.href.split("#")[0] ?? location.href);
  // Also what is still on its way: an entry comes when its file has. workerStart is 0 where no service worker was asked.
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as PerformanceResourceTiming[]) {
      if (entry.workerStart === 0 && !entry.name.includes("/resolve/")) refetch(entry.name);
    }
  });
  observer.observe({ type: "resource", buffered: true });
}
