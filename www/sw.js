// The service worker: the page's own files from the network when there is one, from the cache when there is none.

const CACHE = "ia3-web-page";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { origin, pathname } = new URL(event.request.url);
  const model = pathname.includes("/resolve/"); // the library checks and caches model files itself
  if (event.request.method !== "GET" || origin !== self.location.origin || model) return;
  event.respondWith(networkFirst(event));
});

async function networkFirst(event) {
  try {
    const response = await fetch(event.request);
    if (response.status === 200) event.waitUntil(keep(event.request, response.clone()));
    return response;
  } catch (error) {
    // The address's parameters are settings of the page, never another file.
    const kept = await caches.match(event.request, { ignoreSearch: true, cacheName: CACHE });
    if (kept) return kept;
    throw error;
  }
}

async function keep(request, response) {
  try {
    const cache = await caches.open(CACHE);
    await cache.put(request.url.split(/[?#]/)[0], response);
  } catch {
    // Storage is full or forbidden: the page works as long as its server does.
  }
}
