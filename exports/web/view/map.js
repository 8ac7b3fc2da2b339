// Map: two latents as a plane to drag over.

import { element, slider } from './dom.js';
import { paint, sheet } from './picture.js';
import { plane } from './plane.js';
import { labelField, labelFrom, seedField, seedFrom } from './seed.js';
import { startOf } from './sliders.js';
import { stage } from './viewer.js';
import { newest } from './task.js';

const REACH = 2.5; // of a standard normal number, 99 of 100 are within
const CELLS = 9;

/** Fill `root`. */
export async function mountMap(root, shell, model, signal) {
  const { route } = shell;
  const { latent_dim: dim, image } = model.manifest;
  const wait = element('p', { class: 'soft', role: 'status' },
    'Finding out which two latents move the picture most…');
  root.append(wait);
  const axes = dim === 2 ? [0, 1] : strongest(await model.activity({ signal }));
  if (signal.aborted) return;
  let seed = seedFrom(shell);
  let base = startOf(shell, seed, dim);
  const at = ['x', 'y'].map((name, i) => route.number(name,
    { least: -REACH, most: REACH, otherwise: within(base[axes[i]]) }));
  const names = axes.map((axis) => `Latent ${axis + 1}`);
  const words = () => names.map((name, i) => `${name}: ${at[i].toFixed(2)}`).join(', ');

  const big = stage(shell, image, () => ({
    title: words(), name: `${model.name}-seed${seed}-map`,
  }));
  const options = () => ({ label: labelFrom(shell, model), signal });
  const redraw = newest(() => shell.attempt(async () => {
    const [picture] = await model.decode(pointOf(base, axes, at), options());
    if (!signal.aborted) big.show(picture);
  }, signal));
  const chart = newest(() => shell.attempt(async () => {
    const pictures = await model.decode(groundOf(base, axes), options());
    if (!signal.aborted) paint(map.ground, sheet(pictures, CELLS));
  }, signal));

  const move = (x, y, by) => {
    [x, y].forEach((value, i) => {
      at[i] = within(value);
      sliders[i].set(at[i]);
    });
    map.place(...at);
    route.set({ x: at[0], y: at[1] });
    redraw();
    if (by === 'key') shell.say(words());
  };
  const map = plane({ reach: REACH, onmove: move,
    label: `Map of ${names.join(' and ').toLowerCase()}: arrow keys move, with Shift farther` });
  const sliders = names.map((name, i) => slider({
    label: i ? `${name}, up` : `${name}, to the right`, min: -REACH, max: REACH, step: 0.05,
    value: at[i],
    oninput: (value) => move(...(i ? [at[0], value] : [value, at[1]])),
  }));
  const seeds = dim > 2 && seedField(shell, { value: seed, onseed: (next) => {
    seed = next;
    route.set({ pick: null });
    base = startOf(shell, seed, dim);
    redraw();
    chart();
  } }).box;
  wait.textContent = dim === 2 ? 'The model has two latents: this is all it can draw.'
    : `The two of ${dim} latents that move the picture most; the others stay as in the picture `
      + 'that was chosen.';
  root.append(
    element('div', { class: 'controls' }, seeds,
      labelField(shell, model, () => { redraw(); chart(); })),
    element('div', { class: 'split' }, big.box,
      element('div', {}, map.box, wait, sliders.map(({ box }) => box))));
  move(...at);
  await chart();
}

/** A coordinate to two digits, on the map. */
function within(value) {
  return Math.round(Math.min(REACH, Math.max(-REACH, value)) * 100) / 100;
}

/** z with two of its numbers replaced. */
function pointOf(base, axes, at) {
  const z = base.slice();
  axes.forEach((axis, i) => { z[axis] = at[i]; });
  return z;
}

/** z of the middle of each cell of the map, row by row from the top. */
function groundOf(base, axes) {
  const places = Array.from({ length: CELLS }, (_, i) => ((2 * i + 1) / CELLS - 1) * REACH);
  const points = [...places].reverse()
    .flatMap((y) => places.flatMap((x) => [...pointOf(base, axes, [x, y])]));
  return Float32Array.from(points);
}

/** The numbers of the two latents that move the picture most. */
function strongest(activity) {
  return [...activity.keys()].sort((i, j) => activity[j] - activity[i]).slice(0, 2);
}
