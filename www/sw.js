// The service worker: the page's own files from the network when there is one, from the cache when there is none.

const CACHE = "ia3-web-page";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { origin, pathname } = new URL(event.request.url);
  const model = pathname.includes("/resolve/"); // the library checks and caches model files itself
  if (event.request.method !== "GET" || origin !== self.location.origin || model) return;
  event.respondWith(networkFirst(event.request));
});

async function networkFirst(request) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(request.url.split(/[?#]/)[0], response.clone());
    return response;
  } catch (error) {
    // The address's parameters are settings of the page, never another file.
    const kept = await cache.match(request, { ignoreSearch: true });
    if (kept) return kept;
    throw error;
  }
}
