// One model in one runtime and precision: what the pages may ask of it. Runs in the worker.
//
// Every method takes a job: `job.pause()` is awaited between calls of the network and throws where
// somebody asked to stop; `job.emit(name, ...values)` hands over what is there so far.

import { bench } from './bench.js';
import { EngineError } from './errors.js';
import { DRAWING_PART, PRECISIONS, fileOf } from './manifest.js';
import { Network } from './network.js';
import { normal } from './noise.js';
import { picture, pictures } from './pictures.js';
import { prove } from './proof.js';
import { stepNoise, stepsOf, walk } from './sampler.js';

export class Model {
  #networks = new Map();
  #activity;

  /**
   * @param {object} about
   * @param {object} about.manifest
   * @param {object} about.shipped the model's entry of app.json
   * @param {string} about.runtime
   * @param {string} about.precision
   * @param {number} about.threads
   * @param {object} about.app app.json
   */
  constructor({ manifest, shipped, runtime, precision, threads, app }) {
    Object.assign(this, { manifest, shipped, runtime, precision, threads, app });
    this.image = manifest.image;
    this.size = this.image.height * this.image.width * this.image.channels;
    this.drawing = DRAWING_PART[manifest.kind];
    this.parts = Object.keys(manifest.parts).filter((part) => this.file(part));
  }

  /** The file of a part in this runtime: in this precision, else in what there is. */
  file(part) {
    const find = (p) => fileOf(this.manifest, this.shipped, part, this.runtime, p);
    return [this.precision, ...PRECISIONS].map(find).find(Boolean);
  }

  /** A part ready to run; opened at the first time that it is asked for. */
  async network(part) {
    if (!this.#networks.has(part)) {
      const opening = this.fresh(part);
      this.#networks.set(part, opening);
      opening.catch(() => this.#networks.delete(part));
    }
    return this.#networks.get(part);
  }

  /** Opens a part anew. */
  async fresh(part) {
    const file = this.file(part);
    if (!file) {
      throw new EngineError('missing', `This app has no ${part} of ${this.shipped.title} for `
        + `${this.runtime} in ${this.precision}. Choose another runtime in the settings.`);
    }
    const { folder } = this.shipped;
    return Network.open(folder, this.manifest.parts[part], file, this.runtime, this.threads);
  }

  /** Pictures of a seed; picture k is the same however many are drawn. */
  async draw(job, seed, { first = 0, count = 1, label } = {}) {
    whole('seed', seed, 0);
    whole('first', first, 0);
    whole('count', count, 1);
    if (this.manifest.kind !== 'ddpm') {
      const latents = this.manifest.latent_dim;
      const z = normal(seed, count * latents, 0, first * latents);
      return this.decode(job, z, { label, onPicture: (i, made) => job.emit('onPicture', i, made) });
    }
    const made = [];
    for (let i = 0; i < count; i++) {
      const quiet = { pause: job.pause, emit: (name, at, total) => job.emit('onStep',
        i * total + at, count * total, null) };
      made.push(await this.sample(quiet, seed, { first: first + i, label, silent: true }));
      job.emit('onPicture', i, made[i]);
    }
    return made;
  }

  /** One picture of a diffusion model, step by step or by the file that holds the whole loop. */
  async sample(job, seed, { first = 0, numSteps, eta, whole: inOne = false, label, silent } = {}) {
    const table = this.manifest.sampler;
    if (!table) throw new EngineError('input', `${this.shipped.title} takes no sampling steps.`);
    whole('seed', seed, 0);
    const noise = (stream) => normal(seed, this.size, stream, first * this.size);
    const show = (i, total, xt) =>
      job.emit('onStep', i, total, silent ? null : picture(xt.slice(), this.image));
    if (inOne) return this.#inOne(job, noise, label, show);
    const steps = stepsOf(table, numSteps, eta);
    const total = steps.timesteps.length;
    const xt = noise(0);
    show(0, total, xt);
    await walk((noisy, t) => this.predict(job, noisy, t, 1, label), xt, steps, noise,
      (taken) => show(taken, total, xt));
    return picture(xt, this.image);
  }

  /** What the denoiser says of noisy pictures, all at the same timestep. */
  async predict(job, xt, t, count, label) {
    const denoiser = await this.network('denoiser');
    const feeds = { xt, t: new Int32Array(count).fill(t), ...this.#labels(label, count) };
    const made = await denoiser.run(feeds, count, { pause: job.pause });
    return made[denoiser.part.outputs[0].name];
  }

  async #inOne(job, noise, label, show) {
    const { num_steps: total, stochastic } = this.manifest.sampler;
    const sampler = await this.network('sampler');
    const feeds = { noise: noise(0), ...this.#labels(label, 1) };
    show(0, total, feeds.noise);
    await job.pause();
    if (stochastic) feeds.step_noise = stepNoise(noise, total, 1);
    const { image } = await sampler.run(feeds, 1);
    show(total, total, image);
    return picture(image, this.image);
  }

  /** Pictures of latents. */
  async decode(job, z, { label, onPicture = () => {} } = {}) {
    const latents = this.manifest.latent_dim;
    if (!(z instanceof Float32Array) || !latents || z.length === 0 || z.length % latents) {
      throw new EngineError('input', `Latents are numbers in rows of ${latents}. `
        + `Received: ${z?.length} numbers.`);
    }
    const count = z.length / latents;
    const network = await this.network(this.drawing);
    const onPiece = (first, { image }) =>
      pictures(image, this.image).forEach((made, i) => onPicture(first + i, made));
    const feeds = { z, ...this.#labels(label, count) };
    const { image } = await network.run(feeds, count, { pause: job.pause, onPiece });
    return pictures(image, this.image);
  }

  /** Mean and, of a VAE, log-variance of a picture's latents. */
  async encode(_job, values) {
    if (!(values instanceof Float32Array) || values.length !== this.size) {
      throw new EngineError('input', `A picture has ${this.size} numbers. `
        + `Received: ${values?.length}.`);
    }
    const { mean, logvar = null } = await (await this.network('encoder')).run({ image: values }, 1);
    return { mean, logvar };
  }

  /** How much each latent moves the picture: RMS change between -1 and 1, all others at 0. */
  async activity(job) {
    if (this.#activity) return this.#activity.slice();
    const latents = this.manifest.latent_dim;
    const found = new Float32Array(latents);
    for (let i = 0; i < latents; i++) {
      const z = new Float32Array(2 * latents);
      z[i] = 1;
      z[latents + i] = -1;
      const [up, down] = await this.decode(job, z);
      const squares = up.values.reduce((sum, v, k) => sum + (v - down.values[k]) ** 2, 0);
      found[i] = Math.sqrt(squares / this.size);
    }
    this.#activity = found;
    return found.slice();
  }

  /** Compares every part with Keras on the golden cases. */
  prove(job) {
    return prove(job, this, this.app.gates);
  }

  /** Measures how long a picture takes. */
  bench(job, { runs = 20 } = {}) {
    whole('runs', runs, 1);
    return bench(job, this, this.app.kgen, runs);
  }

  /** The input `label` of `count` rows, where the model takes a class. */
  #labels(label = 0, count = 1) {
    const { labels } = this.manifest;
    if (labels === null) return {};
    if (!Number.isInteger(label) || label < 0 || label >= labels.length) {
      throw new EngineError('input', `A class is a number from 0 to ${labels.length - 1}. `
        + `Received: ${label}.`);
    }
    return { label: new Int32Array(count).fill(label) };
  }

  /** Frees the memory of every part. */
  async close() {
    const opened = [...this.#networks.values()];
    this.#networks.clear();
    for (const network of await Promise.allSettled(opened)) network.value?.close();
  }
}

/** Refuses what is no whole number from `least` on. */
function whole(name, value, least) {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new EngineError('input', `${name} is a whole number from ${least} to 2^53 - 1. `
      + `Received: ${value}.`);
  }
}
