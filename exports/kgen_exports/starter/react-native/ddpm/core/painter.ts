import { takes } from './manifest.ts';
import type { Manifest, ModelFile } from './manifest.ts';
import type { DrawOptions, Feeds, Network, Step } from './network.ts';
import { normal } from './noise.js';
import { respaced, samplerSteps } from './sampler-table.ts';
import type { SamplerStep } from './sampler-table.ts';

const FEWER_STEPS = [50, 20, 10, 5];

/** A way to draw; `proven` where Keras's pictures are there to compare with. */
export interface Way {
  title: string;
  file: ModelFile;
  proven: boolean;
  steps: SamplerStep[];
}

/** Numbers of a stream: stream 0 is where a picture starts, stream i + 1 what step i adds to it. */
type Noise = (stream: number) => Float32Array;

/** Draws pictures from seeds: noise that becomes a picture step by step. */
export class Painter {
  /** The model's own steps, with progress; fewer of them; all of them in one call. */
  readonly ways: Way[];
  private readonly manifest: Manifest;
  private readonly open: (file: ModelFile) => Promise<Network>;
  private readonly networks = new Map<string, Promise<Network>>();

  /** `open` opens a model file; it is called when the file is first needed. */
  constructor(manifest: Manifest, open: (file: ModelFile) => Promise<Network>) {
    this.manifest = manifest;
    this.open = open;
    this.ways = waysOf(manifest);
  }

  /** Draw picture `index` of a seed, the same one as kgen draws: values as ImageSpec has them. */
  async draw(way: Way, seed: number, options: DrawOptions = {}): Promise<Float32Array> {
    const { index = 0, label = 0, onStep } = options;
    const { size } = this.manifest.image;
    const noise: Noise = (stream) => normal(seed, size, stream, index * size);
    const network = await this.opened(way.file);
    const common: Feeds = takes(way.file, 'label') ? { label: Int32Array.of(label) } : {};
    if (way.file.part !== 'sampler') return stepByStep(network, way, common, noise, onStep);
    const picture = await inOneCall(network, way, common, noise);
    onStep?.({ done: 1, total: 1, picture });
    return picture;
  }

  private opened(file: ModelFile): Promise<Network> {
    const network = this.networks.get(file.path) ?? this.open(file);
    this.networks.set(file.path, network);
    return network;
  }
}

function waysOf({ sampler, files }: Manifest): Way[] {
  if (!sampler) throw new Error('kgen.json has no sampler.');
  const steps = samplerSteps(sampler);
  const count = steps.length;
  const denoiser = files.get('denoiser');
  const whole = files.get('sampler');
  const ways: Way[] = [];
  if (denoiser) {
    ways.push({ title: `Step by step, ${count}`, file: denoiser, proven: true, steps });
    for (const fewer of FEWER_STEPS.filter((n) => n < count)) {
      const table = respaced(sampler, fewer);
      ways.push({ title: `Step by step, ${fewer}`, file: denoiser, proven: false, steps: table });
    }
  }
  if (whole) ways.push({ title: `${count} steps in one call`, file: whole, proven: true, steps });
  return ways;
}

async function inOneCall(
  network: Network,
  way: Way,
  common: Feeds,
  noise: Noise,
): Promise<Float32Array> {
  const start = noise(0);
  const feeds: Feeds = { ...common, noise: start };
  if (takes(way.file, 'step_noise')) {
    const added = new Float32Array(way.steps.length * start.length);
    way.steps.forEach((_, i) => added.set(noise(i + 1), i * start.length));
    feeds.step_noise = added;
  }
  return network.run(feeds);
}

async function stepByStep(
  network: Network,
  way: Way,
  common: Feeds,
  noise: Noise,
  onStep?: (step: Step) => void,
): Promise<Float32Array> {
  let xt = noise(0);
  let x0Last = new Float32Array(xt.length);
  for (const [i, step] of way.steps.entries()) {
    const feeds = { ...common, xt, t: Int32Array.of(step.timestep) };
    const prediction = await network.run(feeds);
    const z = step.sigma > 0 ? noise(i + 1) : null;
    const x0 = xt.map((value, j) => (
      Math.min(Math.max(step.x0FromXt * value + step.x0FromPrediction * prediction[j]!, -1), 1)
    ));
    xt = xt.map((value, j) => {
      const next = step.coefX0 * x0[j]! + step.coefXt * value + step.coefLast * x0Last[j]!;
      return z ? next + step.sigma * z[j]! : next;
    });
    x0Last = x0;
    onStep?.({ done: i + 1, total: way.steps.length, picture: xt });
  }
  return xt;
}
