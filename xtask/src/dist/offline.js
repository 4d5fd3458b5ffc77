// The service worker of a page without a server: after one visit it needs no network.
// Every file but the index has its content in its name, so what is kept is never stale. A new version
// waits until no page of the old one is open: a page may still fetch parts of its own.
'use strict';

const CACHE = `vitrine ${self.registration.scope} {{VERSION}}`;
const FILES = ['{{FILES}}'];

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)));
});

self.addEventListener('activate', (event) => {
  const isOld = (name) => name.startsWith(`vitrine ${self.registration.scope} `) && name !== CACHE;
  const clean = async () => {
    await Promise.all((await caches.keys()).filter(isOld).map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(clean());
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || !request.url.startsWith(self.registration.scope)) return;
  const kept = async () => {
    const cache = await caches.open(CACHE);
    const hit = await cache.match(request.mode === 'navigate' ? 'index.html' : request);
    return hit ?? fetch(request);
  };
  event.respondWith(kept());
});
