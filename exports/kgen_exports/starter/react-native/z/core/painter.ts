import { takes } from './manifest.ts';
import type { Manifest, ModelFile } from './manifest.ts';
import type { DrawOptions, Feeds, Network } from './network.ts';
import { normal } from './noise.js';

/** A way to draw; `proven` where Keras's pictures are there to compare with. */
export interface Way {
  title: string;
  file: ModelFile;
  proven: boolean;
}

/** Draws pictures from seeds: noise in, picture out. */
export class Painter {
  readonly ways: Way[];
  private readonly manifest: Manifest;
  private readonly open: (file: ModelFile) => Promise<Network>;
  private network: Promise<Network> | null = null;

  /** `open` opens a model file; it is called at the first picture. */
  constructor(manifest: Manifest, open: (file: ModelFile) => Promise<Network>) {
    this.manifest = manifest;
    this.open = open;
    this.ways = [...manifest.files.values()].map((file) => (
      { title: 'In one call', file, proven: true }
    ));
  }

  /** Draw picture `index` of a seed, the same one as kgen draws: values as ImageSpec has them. */
  async draw(way: Way, seed: number, options: DrawOptions = {}): Promise<Float32Array> {
    const { index = 0, label = 0, onStep } = options;
    this.network ??= this.open(way.file);
    const network = await this.network;
    const count = this.manifest.latentDim;
    const feeds: Feeds = { z: normal(seed, count, 0, index * count) };
    if (takes(way.file, 'label')) feeds.label = Int32Array.of(label);
    const picture = await network.run(feeds);
    onStep?.({ done: 1, total: 1, picture });
    return picture;
  }
}
