import type { SamplerColumns } from './manifest.ts';

/** The five numbers of a step: docs/manifest.md of kgen, "sampler". */
export interface SamplerStep {
  timestep: number;
  x0FromXt: number;
  x0FromPrediction: number;
  coefX0: number;
  coefXt: number;
  sigma: number;
}

/** The steps of a diffusion sampler in the order they are taken, from the most noise to none. */
export function samplerSteps(columns: SamplerColumns): SamplerStep[] {
  return columns.timesteps.map((timestep, i) => ({
    timestep,
    x0FromXt: columns.x0_from_xt[i]!,
    x0FromPrediction: columns.x0_from_prediction[i]!,
    coefX0: columns.coef_x0[i]!,
    coefXt: columns.coef_xt[i]!,
    sigma: columns.sigma[i]!,
  }));
}

/**
 * DDIM with another number of steps on the same chain: fewer are faster and coarser.
 *
 * `eta` is the noise, 0 (none) to 1. Source: Song et al. (2021), eq. 12 and 16.
 */
export function respaced(columns: SamplerColumns, numSteps: number, eta = 0): SamplerStep[] {
  const chain = columns.alpha_bars.length;
  if (!Number.isInteger(numSteps) || numSteps < 1 || numSteps > chain) {
    throw new RangeError(`Steps are 1 to ${chain}. Received: numSteps=${numSteps}.`);
  }
  if (!(eta >= 0 && eta <= 1)) throw new RangeError(`eta is 0 to 1. Received: eta=${eta}.`);
  const timesteps = Array.from(
    { length: numSteps },
    (_, i) => roundHalfToEven(chain - (i * chain) / numSteps) - 1,
  );
  const bars = timesteps.map((t) => columns.alpha_bars[t]!);
  return timesteps.map((t, i) => ddim(columns.prediction, t, bars[i]!, bars[i + 1] ?? 1, eta));
}

/** A step from a timestep with this alpha_bar to one with the next. */
function ddim(
  prediction: string,
  timestep: number,
  bar: number,
  next: number,
  eta: number,
): SamplerStep {
  const signal = Math.sqrt(bar);
  const noise = Math.sqrt(1 - bar);
  const sigma = eta * Math.sqrt((1 - next) / (1 - bar)) * Math.sqrt(1 - bar / next);
  // Rounding may take the difference just below 0 where eta = 1.
  const coefXt = Math.sqrt(Math.max(1 - next - sigma * sigma, 0)) / noise;
  const [fromXt, fromPrediction] = x0Weights(prediction, signal, noise);
  return {
    timestep,
    x0FromXt: Math.fround(fromXt),
    x0FromPrediction: Math.fround(fromPrediction),
    coefX0: Math.fround(Math.sqrt(next) - coefXt * signal),
    coefXt: Math.fround(coefXt),
    sigma: Math.fround(sigma),
  };
}

/** Weights of xt and of the prediction in x0: Salimans and Ho (2022), section 4. */
function x0Weights(prediction: string, signal: number, noise: number): [number, number] {
  switch (prediction) {
    case 'eps':
      return [1 / signal, -noise / signal];
    case 'x0':
      return [0, 1];
    case 'v':
      return [signal, -noise];
    default:
      throw new Error(`Received: prediction=${prediction}.`);
  }
}

/** As NumPy rounds, and not Math.round: the timesteps must be the same. */
function roundHalfToEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
