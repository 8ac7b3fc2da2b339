// What all parts of the page share: the engine, the model that is open, settings, messages.

import { Engine } from '../engine/client.js';
import { button, element, iconButton } from './dom.js';
import { attempts, remark } from './runtimes.js';
import { keep } from './store.js';
import { tell } from './words.js';

/** Failures of one runtime that another may not have. */
const TRY_ANOTHER = ['wasm', 'runtime', 'memory', 'missing'];

/** One per page. */
export class Shell {
  constructor(app, route, settings) {
    Object.assign(this, { app, route, settings, engine: null });
    this.opening = { key: null, promise: null };
  }

  /** The model that the address names, or the first. */
  get entry() {
    const name = this.route.text('model');
    return this.app.models.find((entry) => entry.name === name) ?? this.app.models[0];
  }

  /** What this browser can do. Starts the engine. */
  async capabilities() {
    this.starting ??= Engine.start(this.app, { threads: this.settings.threads });
    try {
      this.engine = await this.starting;
    } catch (error) {
      this.starting = null; // may be tried again
      throw error;
    }
    return this.engine.capabilities;
  }

  /** The model of the address, opened as the settings say; the one before is closed. */
  model() {
    const { runtime, precision, threads } = this.settings;
    const key = [this.entry.name, runtime, precision, threads].join();
    if (this.opening.key !== key) {
      const before = this.opening.promise;
      const promise = this.#open(this.entry, before);
      this.opening = { key, promise };
      promise.catch(() => {
        if (this.opening.promise === promise) this.opening = { key: null, promise: null };
      });
    }
    return this.opening.promise;
  }

  /** Close the model, so that the next one who asks opens it anew. */
  async closeModel() {
    const before = this.opening.promise;
    this.opening = { key: null, promise: null };
    await before?.then((model) => model.close(), () => null);
  }

  async #open(entry, before) {
    await before?.then((model) => model.close(), () => null);
    const capabilities = await this.capabilities();
    const settings = { ...this.settings };
    let failed = null;
    for (const how of attempts(this.app, entry, capabilities, settings)) {
      try {
        const model = await this.engine.open(entry.name, how);
        this.notice('runtime', remark(model, this.app, capabilities, settings, failed));
        return model;
      } catch (error) {
        if (!TRY_ANOTHER.includes(error.code)) throw error;
        failed ??= Object.assign(error, { runtime: how.runtime });
      }
    }
    throw failed;
  }

  /** Change settings, keep them, and let go of what was opened with the old ones. */
  async change(changes) {
    const threads = changes.threads ?? this.settings.threads;
    const restart = threads !== this.settings.threads;
    Object.assign(this.settings, changes);
    const kept = keep(this.settings);
    this.notice('kept', kept ? null : 'This browser keeps nothing for this page (a private window, '
      + 'or its storage is full): the settings hold until the page is closed.');
    await this.closeModel();
    if (restart) {
      this.engine?.close();
      this.starting = null;
    }
  }

  /** Say something to those who listen to the page instead of looking at it. */
  say(text) {
    document.getElementById('said').textContent = text;
  }

  /**
   * Show a message above the page, in place of the one of the same name.
   * @param {string} name
   * @param {string|null} text null takes it away
   * @param {{problem?: boolean, action?: [string, () => void]}} options
   */
  notice(name, text, { problem = false, action = null } = {}) {
    const list = document.getElementById('notices');
    list.querySelector(`[data-name="${name}"]`)?.remove();
    if (!text) return;
    const box = element('div', { 'data-name': name, class: problem ? 'notice bad' : 'notice',
      role: problem ? 'alert' : 'status' });
    list.append(box); // first the box, then the text: that is what screen readers announce
    box.append(element('p', {}, text));
    if (action) box.append(button(action[0], action[1]));
    box.append(iconButton('close', 'Dismiss', () => box.remove()));
  }

  /** Tell people of a failure; nothing if they stopped it themselves. */
  fail(error, name = 'problem') {
    const text = tell(error);
    if (!text) return;
    if (!error.code && !error.forPeople) console.error(error);
    this.notice(name, text, { problem: true });
  }

  /** Do something, and tell people if it fails. Resolves to its value, or undefined. */
  async attempt(work, signal = null) {
    this.notice('problem', null);
    try {
      return await work();
    } catch (error) {
      if (!signal?.aborted) this.fail(error);
      return undefined;
    }
  }
}
