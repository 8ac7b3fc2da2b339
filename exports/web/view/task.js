// Work that the hand outruns.

/**
 * Do one thing at a time and always the newest: what was asked for in between is dropped.
 * @template {any[]} A
 * @param {(...args: A) => Promise<void>} work
 * @returns {(...args: A) => Promise<void>} resolves when nothing is left to do
 */
export function newest(work) {
  let waiting = null;
  let running = null;
  const run = async () => {
    while (waiting) {
      const args = waiting;
      waiting = null;
      await work(...args);
    }
  };
  return (...args) => {
    waiting = args;
    running ??= run().finally(() => { running = null; });
    return running;
  };
}

/** Wait until the next picture of the screen, or some time; ends at once when aborted. */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}

/** A signal that ends with another one or by its own controller. */
export function within(signal) {
  const controller = new AbortController();
  if (signal.aborted) controller.abort();
  signal.addEventListener('abort', () => controller.abort(), { once: true });
  return controller;
}
