// A diffusion sampler as a table of numbers, and one step of it: docs/manifest.md, "sampler".

import { EngineError } from './errors.js';
import { roundHalfEven } from './pictures.js';

/**
 * @typedef {object} Table the manifest's sampler: one entry per step in each list
 * @property {number[]} timesteps
 * @property {number[]} x0_from_xt
 * @property {number[]} x0_from_prediction
 * @property {number[]} coef_x0
 * @property {number[]} coef_xt
 * @property {number[]} sigma
 */

/** How x0 is read off each kind of prediction, from alpha_bar (Salimans and Ho, 2022, section 4). */
const X0_WEIGHTS = {
  eps: (a) => [1 / Math.sqrt(a), -Math.sqrt(1 - a) / Math.sqrt(a)],
  x0: () => [0, 1],
  v: (a) => [Math.sqrt(a), -Math.sqrt(1 - a)],
};

/**
 * The steps to take: the manifest's own, or DDIM with other ones.
 * @param {object} table the manifest's sampler
 * @param {number} [numSteps] in place of the table's
 * @param {number} [eta] noise, 0 to 1, in place of the table's
 * @returns {Table}
 */
export function stepsOf(table, numSteps, eta) {
  if (numSteps === undefined && eta === undefined) return table;
  return respaced(table, numSteps ?? table.num_steps, eta ?? table.eta);
}

/**
 * DDIM with another number of steps on the same chain, evenly spaced from the noisiest on.
 * Source: Song et al. (2021), eq. 12 and 16.
 * @param {object} table the manifest's sampler
 * @param {number} numSteps 1 to num_timesteps
 * @param {number} eta 0 (no noise) to 1 (ddpm)
 * @returns {Table}
 */
export function respaced(table, numSteps, eta) {
  const last = table.num_timesteps;
  if (!Number.isInteger(numSteps) || numSteps < 1 || numSteps > last) {
    throw new EngineError('input', `The number of steps is a whole number from 1 to ${last}. `
      + `Received: ${numSteps}.`);
  }
  if (!(eta >= 0 && eta <= 1)) {
    throw new EngineError('input', `eta is from 0 (no noise) to 1. Received: ${eta}.`);
  }
  const timesteps = Array.from({ length: numSteps },
    (_, i) => roundHalfEven(last - (i * last) / numSteps) - 1);
  const made = { timesteps, x0_from_xt: [], x0_from_prediction: [], coef_x0: [], coef_xt: [],
    sigma: [] };
  timesteps.forEach((t, i) => {
    const a = table.alpha_bars[t];
    const after = i + 1 < numSteps ? table.alpha_bars[timesteps[i + 1]] : 1;
    const sigma = eta * Math.sqrt((1 - after) / (1 - a)) * Math.sqrt(1 - a / after);
    // Rounding may take the difference just below 0 where eta is 1 and a is near 0.
    const coefXt = Math.sqrt(Math.max(1 - after - sigma * sigma, 0)) / Math.sqrt(1 - a);
    const [fromXt, fromPrediction] = X0_WEIGHTS[table.prediction](a);
    made.x0_from_xt.push(Math.fround(fromXt));
    made.x0_from_prediction.push(Math.fround(fromPrediction));
    made.coef_x0.push(Math.fround(Math.sqrt(after) - coefXt * Math.sqrt(a)));
    made.coef_xt.push(Math.fround(coefXt));
    made.sigma.push(Math.fround(sigma));
  });
  return made;
}

/**
 * Takes one step, in float32 as kgen's own loop does; xt is changed.
 * @param {Table} table
 * @param {number} i index of the step
 * @param {Float32Array} xt
 * @param {Float32Array} prediction the denoiser's, at timesteps[i]
 * @param {Float32Array | null} noise needed where sigma[i] is above 0
 */
export function step(table, i, xt, prediction, noise) {
  const f = Math.fround;
  const [a, b, c, d, s] = [table.x0_from_xt, table.x0_from_prediction, table.coef_x0,
    table.coef_xt, table.sigma].map((column) => f(column[i]));
  for (let k = 0; k < xt.length; k++) {
    const x0 = Math.min(1, Math.max(-1, f(f(a * xt[k]) + f(b * prediction[k]))));
    const next = f(f(c * x0) + f(d * xt[k]));
    xt[k] = s > 0 ? next + f(s * noise[k]) : next;
  }
}

/**
 * Takes all steps, from noise to pictures.
 * @param {(xt: Float32Array, t: number) => Promise<Float32Array>} predict the denoiser
 * @param {Float32Array} xt noise; it is changed into the pictures
 * @param {Table} table
 * @param {(stream: number) => Float32Array} noise of step i, by docs/noise.md in stream i + 1
 * @param {(taken: number, xt: Float32Array) => void} [onStep]
 */
export async function walk(predict, xt, table, noise, onStep = () => {}) {
  for (let i = 0; i < table.timesteps.length; i++) {
    const prediction = await predict(xt, table.timesteps[i]);
    step(table, i, xt, prediction, table.sigma[i] > 0 ? noise(i + 1) : null);
    onStep(i + 1, xt);
  }
}

/**
 * The noise of all steps, as the file that holds the whole loop takes it.
 * @param {(stream: number) => Float32Array} noise of `count` pictures
 * @param {number} steps
 * @param {number} count
 * @returns {Float32Array} (count, steps, size)
 */
export function stepNoise(noise, steps, count) {
  let made;
  for (let i = 0; i < steps; i++) {
    const drawn = noise(i + 1), size = drawn.length / count;
    made ??= new Float32Array(count * steps * size);
    for (let k = 0; k < count; k++) {
      made.set(drawn.subarray(k * size, (k + 1) * size), (k * steps + i) * size);
    }
  }
  return made;
}
