// Sliders: one per latent, those that move the picture most first.

import { button, element, slider } from './dom.js';
import { labelField, labelFrom, latents, seedField, seedFrom } from './seed.js';
import { stage } from './viewer.js';
import { newest } from './task.js';
import { many } from './words.js';

const FIRST = 8;

/** Fill `root`. */
export async function mountSliders(root, shell, model, signal) {
  const { route } = shell;
  const dim = model.manifest.latent_dim;
  let seed = seedFrom(shell);
  let start = startOf(shell, seed, dim);
  let z = withChanges(start, route.text('latents'));
  const big = stage(shell, model.manifest.image, () => ({
    title: `Seed ${seed}, ${changed()}`, name: `${model.name}-seed${seed}-changed`,
  }));
  const changed = () => {
    const count = z.filter((value, i) => value !== start[i]).length;
    return count ? `${many(count, 'latent')} changed` : 'as it was drawn';
  };
  const redraw = newest(() => shell.attempt(async () => {
    const [picture] = await model.decode(z.slice(), { label: labelFrom(shell, model), signal });
    if (!signal.aborted) big.show(picture);
  }, signal));
  const sliders = new Map();
  const moved = (i, value) => {
    z[i] = value;
    route.set({ latents: changesOf(start, z) });
    reset.disabled = false;
    redraw();
  };
  const list = element('div', { class: 'sliders' });
  const add = (i) => {
    const most = Math.max(3, Math.ceil(Math.abs(start[i])));
    const made = slider({ label: `Latent ${i + 1}`, min: -most, max: most, step: 0.05, value: z[i],
      oninput: (value) => moved(i, value) });
    sliders.set(i, made);
    list.append(made.box);
  };
  const renew = () => {
    for (const [i, made] of sliders) made.set(z[i]);
    reset.disabled = changesOf(start, z) === null;
    redraw();
  };
  const reset = button('Reset', () => {
    z = start.slice();
    route.set({ latents: null });
    renew();
    shell.say('As it was drawn.');
  }, { disabled: changesOf(start, z) === null });
  const seeds = seedField(shell, { value: seed, onseed: (next) => {
    seed = next;
    route.set({ pick: null, latents: null });
    start = startOf(shell, seed, dim);
    z = start.slice();
    renew();
  } });
  const wait = element('p', { class: 'soft', role: 'status' },
    'Finding out which latents move the picture most…');
  const rest = element('div', { class: 'row' });
  root.append(
    element('div', { class: 'controls' }, seeds.box, labelField(shell, model, redraw)),
    element('div', { class: 'split' }, big.box,
      element('div', {}, wait, list, rest, element('div', { class: 'row' }, reset))));
  await redraw();
  const activity = await model.activity({ signal });
  if (signal.aborted) return;
  const order = [...activity.keys()].sort((i, j) => activity[j] - activity[i]);
  order.slice(0, FIRST).forEach(add);
  wait.textContent = dim > FIRST
    ? `The ${FIRST} of ${dim} latents that move the picture most, the strongest first.`
    : 'The strongest first.';
  if (dim > FIRST) {
    rest.append(button(`Show all ${dim}`, () => {
      order.slice(FIRST).forEach(add);
      rest.remove();
      sliders.get(order[FIRST]).input.focus();
    }));
  }
}

/** z of the picture that was chosen in the grid. */
export function startOf(shell, seed, dim) {
  const pick = shell.route.number('pick', { least: 0, most: 63, otherwise: 0 }) | 0;
  return latents(seed, pick, dim);
}

/** Changes as the address holds them: '2:1.25,7:-0.4', counted from 1; null for none. */
export function changesOf(start, z) {
  const changes = [];
  z.forEach((value, i) => {
    if (value !== start[i]) changes.push(`${i + 1}:${Math.round(value * 100) / 100}`);
  });
  return changes.length ? changes.join(',') : null;
}

/** z with the changes of an address; what makes no sense there is left out. */
export function withChanges(start, text) {
  const z = start.slice();
  for (const change of (text ?? '').split(',')) {
    const [index, value] = change.split(':').map(Number);
    if (index >= 1 && index <= z.length && Math.abs(value) <= 10) z[Math.floor(index) - 1] = value;
  }
  return z;
}
