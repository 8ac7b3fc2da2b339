// The proof on this device: every part is run on the golden cases and compared with what Keras drew,
// by the rules of kgen_exports/proof.py.

import { EngineError } from './errors.js';
import { checkedBytes } from './manifest.js';
import { normal } from './noise.js';
import { readNpz } from './npz.js';
import { stepNoise, walk } from './sampler.js';

/**
 * @typedef {object} Check one output of one file
 * @property {string} part
 * @property {string} file
 * @property {string} output name of the output; 'picture' is a denoiser's after the whole loop
 * @property {string} runtime
 * @property {string} precision
 * @property {number | null} maxAbs largest difference from Keras
 * @property {number | null} psnr decibels, at most 200
 * @property {string} limit what is allowed, in words
 * @property {boolean} passed
 * @property {string | null} problem why it did not pass
 */

/**
 * Measures how far an output is from Keras's.
 * @param {Float32Array} output
 * @param {Float32Array} reference
 * @param {number} peak the output's range, from lowest to highest
 */
export function compare(output, reference, peak) {
  let maxAbs = 0, squares = 0;
  for (let i = 0; i < reference.length; i++) {
    const difference = output[i] - reference[i];
    // A NaN would be lost in a maximum.
    maxAbs = Math.abs(difference) <= maxAbs ? maxAbs : Math.abs(difference);
    squares += difference * difference;
  }
  const rmse = Math.max(Math.sqrt(squares / reference.length), peak * 1e-10);
  return { maxAbs, psnr: 20 * Math.log10(peak / rmse), peak };
}

/** The range of an output: the declared one, or that of Keras's golden outputs. */
function peakOf(spec, reference) {
  if (spec.range) return spec.range[1] - spec.range[0];
  let low = Infinity, high = -Infinity;
  for (const value of reference) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return Math.max(high - low, 1e-6);
}

/** What is allowed at a precision, and whether an error is within it. */
export function judge(gates, precision, error) {
  if (precision === 'fp32') {
    const allowed = gates.fp32_share * error.peak;
    return {
      limit: `largest error at most ${Number(allowed.toPrecision(2))}`,
      passed: error.maxAbs <= allowed,
    };
  }
  const least = gates.least_db[precision];
  return { limit: `at least ${least} dB`, passed: error.psnr >= least };
}

/**
 * Proves every part of an open model.
 * @param {object} job of the worker
 * @param {import('./model.js').Model} model
 * @param {object} gates app.json's
 * @returns {Promise<Check[]>}
 */
export async function prove(job, model, gates) {
  const { manifest, shipped } = model;
  const golden = await readNpz(
    await checkedBytes(`${shipped.folder}golden.npz`, manifest.golden.sha256));
  const checks = [];
  for (const part of model.parts) {
    for await (const check of checksOf(job, model, part, golden, gates)) {
      checks.push(check);
      job.emit('onCheck', check);
    }
  }
  return checks;
}

/** Runs one part; a part that cannot be run is a failed check, and the others still run. */
async function* checksOf(job, model, part, golden, gates) {
  const file = model.file(part);
  const about = { part, file: file.path, runtime: model.runtime, precision: file.precision };
  try {
    for await (const [output, error, decides] of errorsOf(job, model, part, golden)) {
      const { limit, passed } = decides ? judge(gates, file.precision, error)
        : { limit: 'for information: the finished picture decides', passed: true };
      const finite = Number.isFinite(error.maxAbs);
      yield {
        ...about, output, maxAbs: finite ? error.maxAbs : null, psnr: finite ? error.psnr : null,
        limit, passed: passed && finite,
        problem: passed && finite ? null : faultOf(error, limit, finite),
      };
    }
  } catch (error) {
    if (error.code === 'aborted') throw error;
    yield { ...about, output: '', maxAbs: null, psnr: null, limit: '', passed: false,
      problem: error.message };
  }
}

function faultOf({ maxAbs, psnr }, limit, finite) {
  if (!finite) return 'there are values that are not finite numbers';
  return `largest error ${maxAbs.toPrecision(2)}, ${psnr.toFixed(1)} dB; expected: ${limit}`;
}

/** Yields [output, error, whether it decides] for each output of a part. */
async function* errorsOf(job, model, part, golden) {
  const specs = model.manifest.parts[part];
  const find = (name, size) => {
    const found = golden[name];
    if (!found || !(found.shape[0] >= 1) || (size && found.data.length !== size * found.shape[0])) {
      throw new EngineError('schema', `The golden cases have no ${name} that fits.`);
    }
    return found;
  };
  const feeds = {};
  let count = 0;
  for (const { name, shape } of specs.inputs) {
    if (name === 'step_noise') continue;
    const size = shape.slice(1).reduce((product, n) => product * n, 1);
    const { data, shape: [rows] } = find(`${part}/in/${name}`, size);
    feeds[name] = data;
    count = rows;
  }
  if (specs.inputs.some(({ name }) => name === 'step_noise')) {
    const { num_steps: steps } = model.manifest.sampler;
    feeds.step_noise = stepNoise(goldenNoise(model, count), steps, count);
  }
  const network = await model.network(part);
  const outputs = await network.run(feeds, count, { pause: job.pause });
  const loop = part === 'denoiser' && golden['sampler/out/image'];
  for (const spec of specs.outputs) {
    const reference = find(`${part}/out/${spec.name}`).data;
    if (outputs[spec.name].length !== reference.length) {
      throw new EngineError('runtime', `${spec.name} has ${outputs[spec.name].length} numbers; `
        + `Keras has ${reference.length}.`);
    }
    const error = compare(outputs[spec.name], reference, peakOf(spec, reference));
    // Of a denoiser the finished picture decides, unless every digit is to be right.
    yield [spec.name, error, !loop || network.file.precision === 'fp32'];
  }
  if (loop) {
    const [low, high] = model.image.range;
    const drawn = await finished(job, model, find('sampler/in/noise', model.size));
    yield ['picture', compare(drawn, loop.data, high - low), true];
  }
}

/** The golden pictures by the manifest's own loop. */
async function finished(job, model, { data, shape: [count] }) {
  const xt = data.slice();
  await walk((noisy, t) => model.predict(job, noisy, t, count), xt, model.manifest.sampler,
    goldenNoise(model, count));
  return xt;
}

/** The noise of the golden pictures, by its stream. */
function goldenNoise({ manifest, size }, count) {
  return (stream) => normal(manifest.golden.seed, count * size, stream);
}
