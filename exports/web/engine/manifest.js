// kgen.json, as docs/manifest.md describes it: read, and asked what it has.

import { bytes, json } from './assets.js';
import { EngineError } from './errors.js';

/** The version of the manifest that this app reads. */
export const SCHEMA = 'kgen-bundle-1';
/** The format that each runtime with model files runs. */
export const FORMATS = { onnxruntime: 'onnx', litert: 'tflite' };
/** The part that draws, by the kind of model. */
export const DRAWING_PART = { gan: 'generator', ae: 'decoder', vae: 'decoder', ddpm: 'denoiser' };
/** What is preferred where nobody asks: half the bytes of fp32, and no visible difference. */
export const PRECISIONS = ['fp16', 'fp32', 'int8', 'int8-static'];
/** The precision of the JavaScript engine: its weights are float16 numbers. */
export const PLAIN_PRECISION = 'fp16';

/**
 * Reads a model's manifest and checks what the engine relies on.
 * @param {string} folder of the model, as 'models/gan/'
 * @returns {Promise<object>}
 */
export async function readManifest(folder) {
  const path = `${folder}kgen.json`;
  const manifest = await json(path);
  if (manifest?.schema !== SCHEMA) {
    throw new EngineError('schema', `${path} is of version ${JSON.stringify(manifest?.schema)}; `
      + `this app reads ${JSON.stringify(SCHEMA)}. Build the app again with a newer kgen.`);
  }
  const fault = faultOf(manifest);
  if (fault) {
    throw new EngineError('schema', `${path} is damaged: ${fault}. Export the model again.`);
  }
  return manifest;
}

const count = (n, most) => Number.isInteger(n) && n >= 1 && n <= most;
const pair = (r) => Array.isArray(r) && r.length === 2 && r.every(Number.isFinite) && r[0] < r[1];

/** Says what is wrong with a manifest of the right version; undefined if nothing is. */
function faultOf({ kind, image, latent_dim: latents, labels, sampler, parts, golden }) {
  if (!Object.hasOwn(DRAWING_PART, kind)) return 'kind is gan, ae, vae or ddpm';
  const { height, width, channels, range } = image ?? {};
  if (!count(height, 16384) || !count(width, 16384) || ![1, 3].includes(channels)) {
    return 'a picture has a height, a width, and 1 or 3 channels';
  }
  if (!pair(range)) return 'the range of a picture is two numbers, the lower one first';
  if (kind !== 'ddpm' && !count(latents, 2 ** 24)) return 'latent_dim is a whole number above 0';
  if (labels !== null && !(Array.isArray(labels) && labels.length)) return 'labels are a list';
  if (kind === 'ddpm' && !wholeTable(sampler)) return 'the lists of its sampler do not fit';
  if (typeof golden?.sha256 !== 'string' || !Number.isSafeInteger(golden.seed)) {
    return 'golden has a hash and a seed';
  }
  return Object.values(parts ?? { none: {} }).every(wholePart) ? undefined
    : 'parts have inputs, outputs and files';
}

function wholePart(part) {
  return [part?.inputs, part?.outputs, part?.files].every(Array.isArray)
    && [...part.inputs, ...part.outputs].every((spec) => typeof spec?.name === 'string'
      && Array.isArray(spec.shape))
    && part.files.every((file) => typeof file?.path === 'string'
      && typeof file.sha256 === 'string' && (file.batch === null || count(file.batch, 65536)));
}

function wholeTable(table) {
  const columns = ['timesteps', 'x0_from_xt', 'x0_from_prediction', 'coef_x0', 'coef_xt',
    'coef_last', 'sigma'];
  return count(table?.num_steps, 65536)
    && columns.every((name) => table[name]?.length === table.num_steps
      && table[name].every(Number.isFinite))
    && table.alpha_bars?.length === table.num_timesteps
    && ['eps', 'x0', 'v'].includes(table.prediction)
    && ['dpmpp', 'ddim', 'ddpm'].includes(table.name);
}

/**
 * The file of a part that an app has for a runtime; of several the one that takes any batch.
 * @param {object} manifest
 * @param {object} shipped the model's entry of app.json
 * @param {string} part
 * @param {string} runtime
 * @param {string} precision
 * @returns {object | undefined} the manifest's entry of the file; for the JavaScript engine an
 *   entry like one, with the names of plan and weights
 */
export function fileOf(manifest, shipped, part, runtime, precision) {
  if (runtime === 'javascript') {
    const plain = shipped.plain?.[part];
    return plain && precision === PLAIN_PRECISION
      ? { path: plain.weights, precision, batch: 1, plain } : undefined;
  }
  const found = (manifest.parts[part]?.files ?? []).filter((file) => file.precision === precision
    && file.format === FORMATS[runtime] && shipped.files.includes(file.path));
  return found.find((file) => file.batch === null) ?? found[0];
}

/** The precisions in which an app has what draws, for a runtime, the preferred ones first. */
export function precisionsOf(manifest, shipped, runtime) {
  const part = DRAWING_PART[manifest.kind];
  return PRECISIONS.filter((p) => fileOf(manifest, shipped, part, runtime, p));
}

/**
 * Fetches a file and checks that it is the one that was exported.
 *
 * Where the page was loaded without encryption browsers have no hash function; the check is left
 * out there, and `capabilities.secure` says so.
 * @param {string} path
 * @param {string} sha256 hexadecimal
 * @returns {Promise<Uint8Array>}
 */
export async function checkedBytes(path, sha256) {
  const found = await bytes(path);
  if (!globalThis.crypto?.subtle) return found;
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', found));
  const text = Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (text !== sha256) {
    throw new EngineError('hash', `${path} is not the file that was exported: its SHA-256 is not `
      + 'the one that was noted then. Reload the page; if that does not help, build the app again '
      + 'with kgen app.');
  }
  return found;
}
