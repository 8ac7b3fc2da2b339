// The worker's side: keeps the models that are open and does one thing after the other.

import { capabilities } from './capabilities.js';
import { EngineError, explained, throwIfAborted } from './errors.js';
import { PLAIN_PRECISION, PRECISIONS, precisionsOf, readManifest } from './manifest.js';
import { Model } from './model.js';

/**
 * Serves the messages of one page: `{id, call, ...}` in, `{id, result | error | event}` out.
 * @param {DedicatedWorkerGlobalScope} scope
 * @param {{app: object, threads: number}} options
 */
export async function serve(scope, { app, threads }) {
  const can = await capabilities(app);
  const host = new Host(app, can, can.isolated ? Math.max(1, threads) : 1);
  const stopped = new Set();
  let last = Promise.resolve();
  scope.onmessage = ({ data }) => {
    if (data.call === 'abort') {
      stopped.add(data.id);
      return;
    }
    const job = {
      emit: (name, ...values) => scope.postMessage({ id: data.id, event: name, values }),
      async pause() {
        await breath();
        throwIfAborted({ aborted: stopped.has(data.id) });
      },
    };
    last = last.then(async () => {
      try {
        throwIfAborted({ aborted: stopped.has(data.id) });
        scope.postMessage({ id: data.id, result: await host[data.call](job, data) });
      } catch (error) {
        const { code, message } = explained(error, 'The engine');
        scope.postMessage({ id: data.id, error: { code, message } });
      }
      stopped.delete(data.id);
    });
  };
  scope.postMessage({ ready: can });
}

/** Lets messages in: a network that runs does not, and neither does a promise that is kept. */
function breath() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

class Host {
  #models = new Map();
  #opened = 0;

  constructor(app, can, threads) {
    Object.assign(this, { app, can, threads });
  }

  /** Opens a model, or says that it is open already; one of another runtime is closed first. */
  async open(_job, { name, runtime, precision }) {
    const shipped = this.app.models.find((model) => model.name === name);
    if (!shipped) {
      const known = this.app.models.map((model) => model.name).join(', ');
      throw new EngineError('missing', `This app has the models ${known}. Received: ${name}.`);
    }
    const manifest = await readManifest(shipped.folder);
    const chosen = this.#choose(manifest, shipped, runtime, precision);
    const before = this.#models.get(name);
    if (before?.runtime === chosen.runtime && before.precision === chosen.precision) {
      before.users += 1;
      return before.told;
    }
    await this.#end(name);
    const model = new Model(
      { manifest, shipped, ...chosen, threads: this.threads, app: this.app });
    await model.network(model.drawing);
    model.users = 1;
    model.handle = `${name} ${++this.#opened}`;
    model.told = { ...chosen, handle: model.handle, manifest, parts: model.parts,
      threads: this.threads, choices: this.#choices(manifest, shipped) };
    this.#models.set(name, model);
    return model.told;
  }

  /** Every runtime and precision in which a model can be opened here. */
  #choices(manifest, shipped) {
    return this.app.runtimes.filter((runtime) => this.can.runtimes[runtime]?.usable).flatMap(
      (runtime) => precisionsOf(manifest, shipped, runtime)
        .map((precision) => ({ runtime, precision })));
  }

  /** Settles runtime and precision: what was asked for, else the first that can be used. */
  #choose(manifest, shipped, runtime, precision) {
    const usable = Object.keys(this.can.runtimes).filter((r) => this.can.runtimes[r].usable);
    if (runtime && !usable.includes(runtime)) {
      const { why = 'There is no such runtime.' } = this.can.runtimes[runtime] ?? {};
      throw new EngineError(this.can.wasm ? 'missing' : 'wasm',
        `${runtime} cannot be used here. ${why}`);
    }
    const order = runtime ? [runtime] : this.app.runtimes.filter((r) => usable.includes(r));
    for (const one of order) {
      const there = precisionsOf(manifest, shipped, one);
      // Where there is nothing else a picture is worth more than a precision.
      const fits = one === 'javascript' && !this.can.wasm ? PLAIN_PRECISION : precision;
      const found = fits ? there.find((p) => p === fits) : there[0];
      if (found) return { runtime: one, precision: found };
    }
    if (!this.can.wasm) {
      throw new EngineError('wasm', `${shipped.title} needs WebAssembly. `
        + `${this.can.runtimes.onnxruntime.why} Turn it on, or use another browser.`);
    }
    throw new EngineError('missing', `This app has no files of ${shipped.title} for `
      + `${runtime ?? 'any runtime'} in ${precision ?? PRECISIONS.join(', ')}. `
      + 'Choose others in the settings, or build it again with kgen app --precision.');
  }

  /** Calls a method of an open model. */
  async model(job, { name, handle, method, args }) {
    const model = this.#models.get(name);
    if (model?.handle !== handle) {
      throw new EngineError('runtime', `${name} was closed, or opened in another runtime. Open it `
        + 'again.');
    }
    return model[method](job, ...args);
  }

  /** Closes a model when nobody uses it any more. */
  async close(_job, { name, handle }) {
    const model = this.#models.get(name);
    if (model?.handle !== handle) return;
    model.users -= 1;
    if (model.users === 0) await this.#end(name);
  }

  async #end(name) {
    const model = this.#models.get(name);
    this.#models.delete(name);
    await model?.close();
  }
}
