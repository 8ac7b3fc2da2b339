// Offline use: the service worker, what it keeps, and how people learn of it.

import { size } from './words.js';

/** Where the app stands. `told` is called at once and with every change. */
export class Offline {
  /** state: 'none' (no server to be free of), 'keeping', 'ready' or 'failed'. */
  state = 'none';
  reason = '';
  bytes = 0;
  listeners = new Set();

  /** Start keeping the app on the device, where that makes sense. */
  start(delivery) {
    const { serviceWorker } = navigator;
    if (delivery === 'package') this.set('ready', '', 'Everything is in the app on this device.');
    if (delivery === 'single') this.set('ready', '', 'Everything is in this one file.');
    if (delivery !== 'site') return;
    if (!serviceWorker) {
      this.set('failed', window.isSecureContext ? 'This browser keeps no pages for offline use.'
        : 'A browser keeps pages for offline use only from https addresses.');
      return;
    }
    this.set('keeping');
    serviceWorker.addEventListener('message', ({ data }) => {
      if (data?.type !== 'offline') return;
      this.bytes = data.bytes ?? 0;
      this.set(data.state === 'ready' ? 'ready' : 'failed', data.reason ?? '');
    });
    serviceWorker.register('sw.js').then(
      (registration) => this.follow(registration),
      (error) => this.set('failed', `It could not be set up: ${error.message}`));
  }

  /** Ask the worker that is there; watch the first one until it is, or has given up. */
  follow(registration) {
    if (registration.active) {
      registration.active.postMessage({ type: 'offline?' });
      return;
    }
    const worker = registration.installing ?? registration.waiting;
    const look = () => {
      if (worker.state === 'activated') {
        worker.postMessage({ type: 'offline?' });
      } else if (worker.state === 'redundant' && this.state === 'keeping') {
        this.set('failed', 'The files could not be kept: the storage may be full.');
      }
    };
    worker.addEventListener('statechange', look);
    look();
  }

  set(state, reason = '', note = '') {
    Object.assign(this, { state, reason, note });
    for (const told of this.listeners) told(this);
  }

  /** Be told, until the signal ends. */
  listen(told, signal) {
    this.listeners.add(told);
    signal.addEventListener('abort', () => this.listeners.delete(told), { once: true });
    told(this);
  }

  /** In words. */
  get words() {
    if (this.state === 'ready') {
      const much = this.bytes ? `, ${size(this.bytes)}` : '';
      const ready = `Ready for offline use: everything is kept on this device${much}.`;
      return this.note || `${ready} ${this.reason}`.trim();
    }
    if (this.state === 'keeping') return 'Being kept for offline use…';
    return `Works while there is a connection, but not offline. ${this.reason}`;
  }
}
