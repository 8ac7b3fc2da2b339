// The page's side of the engine. Everything is computed in a worker, so that the page never freezes.

import { url } from './assets.js';
import { EngineError } from './errors.js';

export { EngineError };
export { normal as noise } from './noise.js';

export class Engine {
  #worker;
  #calls = new Map();
  #next = 1;
  #ended;

  /** Use `Engine.start`. */
  constructor(worker) {
    this.#worker = worker;
  }

  /**
   * Starts the worker and looks at what the browser can do.
   * @param {object} app app.json, parsed
   * @param {{threads?: number}} [options] threads of ONNX Runtime, where the page is isolated
   * @returns {Promise<Engine>}
   */
  static async start(app, { threads = 1 } = {}) {
    let engine;
    const can = await new Promise((resolve, reject) => {
      const worker = new Worker(url('worker.js'));
      engine = new Engine(worker);
      worker.onmessage = ({ data }) => (data.ready ? resolve(data.ready) : engine.#receive(data));
      const fail = (event) => {
        event.preventDefault?.();
        const error = new EngineError('runtime', 'The part of this app that computes has stopped '
          + `(${event.message || 'it could not be started'}). Reload the page.`);
        reject(error);
        engine.#end(error);
      };
      worker.onerror = fail;
      worker.onmessageerror = fail;
      // In a page that is one file, the worker makes addresses of its own of what is in memory.
      worker.postMessage({ app, threads, files: globalThis.KGEN_PARTS ?? null });
    });
    /** @type {import('./capabilities.js').Capabilities} */
    engine.capabilities = can;
    return engine;
  }

  /**
   * Opens a model: checks its manifest and the hash of what draws, and makes it ready to run. Other
   * parts are checked and opened when they are first used.
   * @param {string} name
   * @param {{runtime?: string, precision?: string}} [options] left out: the first that can be used
   * @returns {Promise<Model>}
   */
  async open(name, { runtime, precision } = {}) {
    const opened = await this.call('open', { name, runtime, precision });
    return new Model(this, name, opened);
  }

  /** Ends the worker and what it does. */
  close() {
    this.#end(new EngineError('aborted', 'Stopped, as the engine was closed.'));
  }

  /**
   * Sends a message and waits for its answer. For `Model`.
   * @param {string} call
   * @param {object} message
   * @param {object} [options] callbacks by name, and `signal`
   */
  call(call, message, options = {}) {
    if (this.#ended) return Promise.reject(this.#ended);
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(new EngineError('aborted', 'Stopped, as you asked.'));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const abort = () => this.#worker.postMessage({ id, call: 'abort' });
      signal?.addEventListener('abort', abort, { once: true });
      const done = () => signal?.removeEventListener('abort', abort);
      this.#calls.set(id, { resolve, reject, done, options });
      this.#worker.postMessage({ id, call, ...message });
    });
  }

  #receive({ id, result, error, event, values }) {
    const call = this.#calls.get(id);
    if (!call) return;
    if (event) {
      call.options[event]?.(...values);
      return;
    }
    this.#calls.delete(id);
    call.done();
    if (error) call.reject(new EngineError(error.code, error.message));
    else call.resolve(result);
  }

  #end(error) {
    this.#ended ??= error;
    this.#worker.terminate();
    for (const { reject, done } of this.#calls.values()) {
      done();
      reject(this.#ended);
    }
    this.#calls.clear();
  }
}

/** A model that is open. Every method returns a promise; `signal` stops between calls. */
export class Model {
  #engine;
  #handle;

  /** Use `Engine.open`. */
  constructor(engine, name, { handle, ...about }) {
    this.#engine = engine;
    this.#handle = handle;
    /** @type {object} kgen.json */
    this.manifest = about.manifest;
    /** @type {string} */
    this.runtime = about.runtime;
    /** @type {string} of what draws; another part may come in another one only */
    this.precision = about.precision;
    /** @type {string[]} those that this runtime has files of */
    this.parts = about.parts;
    /** @type {number} of ONNX Runtime */
    this.threads = about.threads;
    /** @type {{runtime: string, precision: string}[]} all in which it can be opened here */
    this.choices = about.choices;
    this.name = name;
  }

  /**
   * Draws pictures of a seed.
   * @param {number} seed
   * @param {{first?: number, count?: number, label?: number, signal?: AbortSignal,
   *   onPicture?: (i: number, picture: object) => void,
   *   onStep?: (i: number, total: number, picture: null) => void}} [options] picture `first` is the
   *   first one; onStep counts the steps of all pictures of a diffusion model
   * @returns {Promise<import('./pictures.js').Picture[]>}
   */
  draw(seed, { first, count, label, ...rest } = {}) {
    return this.#call('draw', [seed, { first, count, label }], rest);
  }

  /**
   * Draws one picture of a diffusion model.
   * @param {number} seed
   * @param {{first?: number, numSteps?: number, eta?: number, whole?: boolean, label?: number,
   *   onStep?: (i: number, total: number, picture: object) => void, signal?: AbortSignal}}
   *   [options] onStep is called with i = 0 for the noise, then after each step; `whole` uses the
   *   file that holds the whole loop, whose steps are fixed: it reports its start and its end
   * @returns {Promise<import('./pictures.js').Picture>}
   */
  sample(seed, { first, numSteps, eta, whole, label, ...rest } = {}) {
    return this.#call('sample', [seed, { first, numSteps, eta, whole, label }], rest);
  }

  /**
   * Draws pictures of latents.
   * @param {Float32Array} z count * latent_dim numbers
   * @param {{label?: number, signal?: AbortSignal}} [options]
   * @returns {Promise<import('./pictures.js').Picture[]>}
   */
  decode(z, { label, ...rest } = {}) {
    return this.#call('decode', [z, { label }], rest);
  }

  /**
   * Finds the latents of a picture.
   * @param {Float32Array} values height * width * channels numbers, in the range of a picture
   * @returns {Promise<{mean: Float32Array, logvar: Float32Array | null}>}
   */
  encode(values, rest) {
    return this.#call('encode', [values], rest);
  }

  /**
   * How much each latent moves the picture: the RMS change from -1 to 1, the others at 0.
   * @returns {Promise<Float32Array>} latent_dim numbers
   */
  activity(rest) {
    return this.#call('activity', [], rest);
  }

  /**
   * Runs every part on the golden cases and compares with Keras.
   * @param {{onCheck?: (check: import('./proof.js').Check) => void, signal?: AbortSignal}} [options]
   * @returns {Promise<import('./proof.js').Check[]>}
   */
  prove(rest) {
    return this.#call('prove', [], rest);
  }

  /**
   * Measures how long a picture takes here.
   * @param {{runs?: number, onRun?: (i: number, total: number, ms: number) => void,
   *   signal?: AbortSignal}} [options]
   * @returns {Promise<import('./bench.js').Measured>}
   */
  bench({ runs = 20, ...rest } = {}) {
    return this.#call('bench', [{ runs }], rest);
  }

  /** Frees its memory, unless another view has it open too. */
  close() {
    return this.#engine.call('close', { name: this.name, handle: this.#handle });
  }

  #call(method, args, options) {
    const message = { name: this.name, handle: this.#handle, method, args };
    return this.#engine.call('model', message, options);
  }
}
