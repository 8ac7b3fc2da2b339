// Vary: pictures around the code of a picture.

import { noise } from '../engine/client.js';
import { button, element, icon, slider } from './dom.js';
import { grid } from './picture.js';
import { anySeed } from './route.js';
import { openViewer } from './viewer.js';
import { newest } from './task.js';

const COUNT = 8;

/**
 * A part of the page with variations of a code.
 * @param {import('./shell.js').Shell} shell
 * @param {object} model
 * @param {() => object} options of Model.decode
 * @returns {{box: HTMLElement, show: (code: {mean: Float32Array, logvar: Float32Array | null})
 *   => Promise<void>}}
 */
export function variations(shell, model, options) {
  let code = null;
  let strength = 1;
  let seed = 7;
  let pictures = [];
  const names = Array.from({ length: COUNT }, (_, i) => `Variation ${i + 1}`);
  const tiles = grid(model.manifest.image, names, (i) => openViewer(shell, {
    picture: pictures[i], title: names[i], name: `${model.name}-variation-${i + 1}`, link: false,
  }), { columns: 4 });
  const vary = newest(async () => {
    const { signal } = options();
    await shell.attempt(async () => {
      const drawn = await model.decode(around(code, strength, seed), options());
      if (signal.aborted) return;
      pictures = drawn;
      drawn.forEach((picture, i) => tiles.show(i, picture));
    }, signal);
  });
  const box = element('section', { hidden: true, 'aria-labelledby': 'vary-title' },
    element('h2', { id: 'vary-title' }, 'Vary it'),
    element('div', { class: 'controls' },
      slider({ label: 'Strength', min: 0, max: 3, step: 0.1, value: strength,
        show: (v) => `× ${v.toFixed(1)}`, oninput: (v) => { strength = v; vary(); } }).box,
      button([icon('dice'), 'Others'], () => { seed = anySeed(); vary(); }, { class: 'main' })),
    element('div', { class: 'place' }, tiles.box));
  return {
    box,
    show(next) {
      code = next;
      box.hidden = false;
      return vary();
    },
  };
}

/** z of the variations: mean + strength * std * noise. */
function around({ mean, logvar }, strength, seed) {
  const std = spread(mean, logvar);
  const dim = mean.length;
  return noise(seed, COUNT * dim)
    .map((value, i) => mean[i % dim] + strength * std[i % dim] * value);
}

/** How far codes spread around the mean: the encoder's word, else half of the code's own size. */
function spread(mean, logvar) {
  if (logvar) return logvar.map((value) => Math.exp(value / 2));
  const size = Math.sqrt(mean.reduce((sum, value) => sum + value * value, 0) / mean.length);
  return mean.map(() => size / 2);
}
