import type { SamplerColumns } from './manifest.ts';

/** The six numbers of a step: docs/manifest.md of kgen, "sampler". */
export interface SamplerStep {
  timestep: number;
  x0FromXt: number;
  x0FromPrediction: number;
  coefX0: number;
  coefXt: number;
  /** Of the x0 of the step before; 0 in the first step. */
  coefLast: number;
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
    coefLast: columns.coef_last[i]!,
    sigma: columns.sigma[i]!,
  }));
}

/**
 * Another number of steps on the same chain: fewer are faster and coarser. Of dpmpp they are
 * DPM-Solver++'s, of the others DDIM's.
 *
 * `eta` is the noise, 0 (none) to 1. Source: Song et al. (2021), eq. 12 and 16; Lu et al. (2022,
 * DPM-Solver++), Algorithm 2.
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
  const ahead = columns.name === 'dpmpp' ? lookAhead(bars) : bars.map(() => 0);
  return timesteps.map((t, i) => (
    stepOf(columns.prediction, t, bars[i]!, bars[i + 1] ?? 1, eta, ahead[i]!)
  ));
}

/**
 * How far each step looks ahead along the line through two x0s: half a step, in units of the one
 * before it; not in the first step, nor in the last, which has no end in lambda.
 */
function lookAhead(bars: number[]): number[] {
  const lambdas = bars.map((bar) => Math.log(bar / (1 - bar)) / 2);
  const length = (i: number) => lambdas[i + 1]! - lambdas[i]!;
  return bars.map((_, i) => (
    i > 0 && i + 1 < bars.length ? length(i) / (2 * length(i - 1)) : 0
  ));
}

/** A step from a timestep with this alpha_bar to one with the next: DDIM's where `ahead` is 0. */
function stepOf(
  prediction: string,
  timestep: number,
  bar: number,
  next: number,
  eta: number,
  ahead: number,
): SamplerStep {
  const signal = Math.sqrt(bar);
  const noise = Math.sqrt(1 - bar);
  const sigma = eta * Math.sqrt((1 - next) / (1 - bar)) * Math.sqrt(1 - bar / next);
  // Rounding may take the difference just below 0 where eta = 1.
  const coefXt = Math.sqrt(Math.max(1 - next - sigma * sigma, 0)) / noise;
  const coefX0 = Math.sqrt(next) - coefXt * signal;
  const [fromXt, fromPrediction] = x0Weights(prediction, signal, noise);
  return {
    timestep,
    x0FromXt: Math.fround(fromXt),
    x0FromPrediction: Math.fround(fromPrediction),
    coefX0: Math.fround(coefX0 * (1 + ahead)),
    coefXt: Math.fround(coefXt),
    coefLast: Math.fround(0 - coefX0 * ahead), // no -0
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
