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
 * @property {number[]} coef_last of the x0 of the step before; 0 in the first step
 * @property {number[]} sigma
 */

/** How x0 is read off each kind of prediction, from alpha_bar (Salimans and Ho, 2022, section 4). */
const X0_WEIGHTS = {
  eps: (a) => [1 / Math.sqrt(a), -Math.sqrt(1 - a) / Math.sqrt(a)],
  x0: () => [0, 1],
  v: (a) => [Math.sqrt(a), -Math.sqrt(1 - a)],
};

/**
 * The steps to take: the manifest's own, or others.
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
 * Another number of steps on the same chain, evenly spaced from the noisiest on: DPM-Solver++ of
 * dpmpp, DDIM of the others. Source: Song et al. (2021), eq. 12 and 16; Lu et al. (2022,
 * DPM-Solver++), Algorithm 2.
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
    coef_last: [], sigma: [] };
  const bars = timesteps.map((t) => table.alpha_bars[t]);
  const ahead = table.name === 'dpmpp' ? lookAhead(bars) : bars.map(() => 0);
  bars.forEach((a, i) => {
    const after = bars[i + 1] ?? 1;
    const sigma = eta * Math.sqrt((1 - after) / (1 - a)) * Math.sqrt(1 - a / after);
    // Rounding may take the difference just below 0 where eta is 1 and a is near 0.
    const coefXt = Math.sqrt(Math.max(1 - after - sigma * sigma, 0)) / Math.sqrt(1 - a);
    const coefX0 = Math.sqrt(after) - coefXt * Math.sqrt(a);
    const [fromXt, fromPrediction] = X0_WEIGHTS[table.prediction](a);
    made.x0_from_xt.push(Math.fround(fromXt));
    made.x0_from_prediction.push(Math.fround(fromPrediction));
    made.coef_x0.push(Math.fround(coefX0 * (1 + ahead[i])));
    made.coef_xt.push(Math.fround(coefXt));
    made.coef_last.push(Math.fround(0 - coefX0 * ahead[i])); // no -0
    made.sigma.push(Math.fround(sigma));
  });
  return made;
}

/**
 * How far each step looks ahead along the line through two x0s: half a step, in units of the one
 * before it; not in the first step, nor in the last, which has no end in lambda.
 */
function lookAhead(bars) {
  const lambdas = bars.map((a) => Math.log(a / (1 - a)) / 2);
  const length = (i) => lambdas[i + 1] - lambdas[i];
  return bars.map((_, i) => (i > 0 && i + 1 < bars.length ? length(i) / (2 * length(i - 1)) : 0));
}

/**
 * Takes one step, in float32 as kgen's own loop does; xt and x0Last are changed.
 * @param {Table} table
 * @param {number} i index of the step
 * @param {Float32Array} xt
 * @param {Float32Array} x0Last the step before's x0; zeros before the first
 * @param {Float32Array} prediction the denoiser's, at timesteps[i]
 * @param {Float32Array | null} noise needed where sigma[i] is above 0
 */
export function step(table, i, xt, x0Last, prediction, noise) {
  const f = Math.fround;
  const [a, b, c, d, l, s] = [table.x0_from_xt, table.x0_from_prediction, table.coef_x0,
    table.coef_xt, table.coef_last, table.sigma].map((column) => f(column[i]));
  for (let k = 0; k < xt.length; k++) {
    const x0 = Math.min(1, Math.max(-1, f(f(a * xt[k]) + f(b * prediction[k]))));
    const next = f(f(f(c * x0) + f(d * xt[k])) + f(l * x0Last[k]));
    xt[k] = s > 0 ? next + f(s * noise[k]) : next;
    x0Last[k] = x0;
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
  const x0Last = new Float32Array(xt.length);
  for (let i = 0; i < table.timesteps.length; i++) {
    const prediction = await predict(xt, table.timesteps[i]);
    step(table, i, xt, x0Last, prediction, table.sigma[i] > 0 ? noise(i + 1) : null);
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
