// Keeps the whole app on the device, so that it opens and draws without a network.
//
// Every file is kept under its address and its hash. A new version of the site is fetched beside
// the old one, takes from it what has not changed, and is used when no page of the old one is open
// any more: a page never meets files of two versions. Hashes are checked by the browser.

// Filled in by `kgen app`: [path, SHA-256 in base64, bytes] of every file, and a name for them all.
const FILES = [];
const VERSION = '';

const SCOPE = self.registration.scope;
// Several sites may share an origin, and with it the list of caches.
const OWN = `kgen-app ${SCOPE} `;
const CACHE = OWN + VERSION;
const BYTES = FILES.reduce((sum, [, , bytes]) => sum + bytes, 0);
// The page is kept as './': hosts may forward 'index.html' to it, and what was forwarded cannot be
// shown when it comes from a cache.
const KEYS = new Map(FILES.map(([path, hash]) => [path, keyOf(path, hash)]));

/** The address under which a file is kept. */
function keyOf(path, hash) {
  return `${new URL(path, SCOPE)}?sha256=${encodeURIComponent(hash)}`;
}

/** Puts a file into the cache: from another version's, if it is the same, or from the network. */
async function keep(cache, [path, hash]) {
  const key = KEYS.get(path);
  const known = await caches.match(key);
  if (known) {
    await cache.put(key, known);
    return;
  }
  // Past the browser's own cache, which may hold an older version of the file.
  const wanted = new Request(new URL(path, SCOPE), {
    cache: 'reload', integrity: `sha256-${hash}`, credentials: 'same-origin',
  });
  const response = await fetch(wanted);
  if (!response.ok) throw new Error(`${path} was answered with ${response.status}`);
  await cache.put(key, response);
}

/** Says in words why the app could not be kept. */
function reasonOf(error) {
  const megabytes = Math.ceil(BYTES / 1e6);
  if (error.name === 'QuotaExceededError') {
    return `There is no room for it: the app takes ${megabytes} MB. Free some space, then open the `
      + 'app again. It works as long as there is a network.';
  }
  return `A file could not be fetched (${error.message}). It is tried again at the next visit.`;
}

/** Tells every open page, or one of them, whether the app is kept. */
async function tell(state, reason = '', pages = null) {
  const message = { type: 'offline', state, bytes: BYTES, reason };
  const all = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
  for (const page of pages ?? all) page.postMessage(message);
}

async function install() {
  const cache = await caches.open(CACHE);
  // All are waited for: a file that arrives after the cache was removed would bring it back.
  const results = await Promise.allSettled(FILES.map((file) => keep(cache, file)));
  const errors = results.filter((r) => r.status === 'rejected').map((r) => r.reason);
  const before = self.registration.active !== null;
  if (errors.length === 0) {
    if (before) await tell('ready', 'A newer version is kept too; it is used at the next start.');
    return;
  }
  await caches.delete(CACHE);
  const error = errors.find((e) => e.name === 'QuotaExceededError') ?? errors[0];
  if (before) await tell('ready', `A newer version could not be kept. ${reasonOf(error)}`);
  else await tell('failed', reasonOf(error));
  throw error;
}

async function activate() {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(OWN) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  // The first visit's page, too, is served from here on.
  await self.clients.claim();
  await tell('ready');
}

/** The path of an address in the site, as FILES has it; null outside of it. */
function pathOf(address) {
  const bare = address.split(/[?#]/)[0];
  if (!bare.startsWith(SCOPE)) return null;
  const path = bare.slice(SCOPE.length);
  return path === '' || path === 'index.html' ? './' : path;
}

async function answer(request, key) {
  const cache = await caches.open(CACHE);
  // Browsers may drop what is kept when a device runs out of room.
  return (await cache.match(key)) ?? fetch(request);
}

/** Answers a page that asks, which it does when it missed what was told before. */
async function inform(page) {
  const cache = await caches.open(CACHE);
  const kept = new Set((await cache.keys()).map((request) => request.url));
  const whole = [...KEYS.values()].every((key) => kept.has(key));
  const reason = 'Some of it was dropped by the browser. Open the app once more with a network.';
  await tell(whole ? 'ready' : 'failed', whole ? '' : reason, [page]);
}

self.addEventListener('install', (event) => event.waitUntil(install()));
self.addEventListener('activate', (event) => event.waitUntil(activate()));
self.addEventListener('message', (event) => {
  if (event.data?.type === 'offline?' && event.source) event.waitUntil(inform(event.source));
});
self.addEventListener('fetch', (event) => {
  const key = event.request.method === 'GET' ? KEYS.get(pathOf(event.request.url)) : undefined;
  if (key) event.respondWith(answer(event.request, key));
});
