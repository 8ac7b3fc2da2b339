// Runs the core of a React Native starter as it is: node harness.mjs ASSETS CASE. See harness.py.
import { readFileSync } from 'node:fs';

import { readManifest } from './core/manifest.ts';
import { normal, words } from './core/noise.js';
import { Painter } from './core/painter.ts';
import { png, pngUri } from './core/png.ts';
import { selfTest } from './core/self-test.ts';

const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
const [assets, casePath] = process.argv.slice(2);
const given = read(casePath);
const manifest = readManifest(read(`${assets}/kgen.json`), read(`${assets}/starter.json`));

/** The network of tests/exports/tiny_bundle.py, computed by hand. */
function network(offset) {
  const { weights, activation, table, size, latent } = given;
  const denoise = (xt, t) => xt.map((x, j) => Math.tanh(x * weights[j] + t * 0.05));
  const whole = ({ noise, step_noise: added }) => {
    let xt = Float64Array.from(noise), last = new Float64Array(size);
    table.forEach(([t, a, b, c, d, l, e], i) => {
      const v = denoise(xt, t);
      const x0 = xt.map((x, j) => Math.min(Math.max(a * x + b * v[j], -1), 1));
      xt = xt.map((x, j) => c * x0[j] + d * x + l * last[j] + (e > 0 ? e * added[i * size + j] : 0));
      last = x0;
    });
    return xt;
  };
  const decode = ({ z }) => Float64Array.from({ length: size }, (_, j) => {
    let sum = 0;
    for (let i = 0; i < latent; i++) sum += z[i] * weights[i * size + j];
    return activation === 'tanh' ? Math.tanh(sum) : 1 / (1 + Math.exp(-sum));
  });
  return async (file) => ({
    async run(feeds) {
      const names = file.inputs.map(({ name }) => name).sort().join();
      if (Object.keys(feeds).sort().join() !== names) throw new Error(`Fed ${Object.keys(feeds)}.`);
      const made = { generator: decode, decoder: decode, sampler: whole,
        denoiser: ({ xt, t }) => denoise(Float64Array.from(xt), t[0]) }[file.part](feeds);
      return Float32Array.from(made, (x) => x + offset + 0.01 * (feeds.label?.[0] ?? 0));
    },
  });
}

async function checks(offset) {
  const found = [];
  await selfTest(manifest, new Painter(manifest, network(offset)), (check) => found.push(check));
  return found;
}

const painter = new Painter(manifest, network(0));
const drawn = [];
for (const way of painter.ways) {
  const { seed, index, label } = given.draw;
  const steps = [];
  const onStep = ({ done, total }) => steps.push([done, total]);
  const picture = await painter.draw(way, seed, { index, label, onStep });
  drawn.push({ title: way.title, picture: [...picture], steps });
}
const stopped = await painter.draw(painter.ways[0], 0, {
  onStep() { throw new Error('stopped'); },
}).catch((error) => error.message);
let tables = [];
if (given.respaced.length) {
  const { respaced } = await import('./core/sampler-table.ts');
  tables = given.respaced.map(([steps, eta]) => respaced(manifest.sampler, steps, eta).map((s) => (
    [s.timestep, s.x0FromXt, s.x0FromPrediction, s.coefX0, s.coefXt, s.coefLast, s.sigma]
  )));
}
const first = Float32Array.from(drawn[0].picture);
console.log(JSON.stringify({
  words: given.words.map(([seed, stream, block]) => [...words(seed, block, stream)]),
  normals: given.normals.map(([seed, stream, start]) => [...normal(seed, 8, stream, start)]),
  tables, drawn, stopped,
  checks: await checks(0), broken: await checks(given.broken), nan: (await checks(NaN)).map((c) => c.passed),
  pixels: Buffer.from(png(first, manifest.image)).toString('base64'),
  uri: pngUri(first, manifest.image).slice(0, 40),
}));
