// What the app remembers on the device: settings only, and only where that is allowed.

const KEY = `kgen:${location.pathname}`;
const DEFAULTS = { runtime: 'auto', precision: 'auto', threads: 1 };

/** The settings that were kept; defaults where there are none or they cannot be read. */
export function keptSettings() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY)) ?? {};
    const threads = Number.isInteger(kept.threads) && kept.threads > 0 ? kept.threads : 1;
    const word = (name) => (typeof kept[name] === 'string' ? kept[name] : DEFAULTS[name]);
    return { runtime: word('runtime'), precision: word('precision'), threads };
  } catch {
    return { ...DEFAULTS }; // storage is refused, or somebody else wrote there
  }
}

/** Keep settings. Returns whether the browser did: not in some private windows, or when full. */
export function keep(settings) {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
    return true;
  } catch {
    return false;
  }
}
