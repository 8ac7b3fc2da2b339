// The field of a seed, and z of a picture.

import { noise } from '../engine/client.js';
import { button, element, field, icon, select } from './dom.js';
import { anySeed, LARGEST_SEED, seedOf } from './route.js';

/** Noise of picture `index` of a seed, by docs/noise.md: row `index` of stream 0. */
export function latents(seed, index, dim) {
  return noise(seed, dim, 0, index * dim);
}

/** The seed of the address; 7, with a message, where it is none. */
export function seedFrom(shell, name = 'seed', otherwise = 7) {
  const text = shell.route.text(name);
  if (text === null) return otherwise;
  try {
    return seedOf(text);
  } catch (error) {
    shell.notice('link', `This link has no usable seed. ${error.message} `
      + `Seed ${otherwise} is drawn instead.`);
    shell.route.set({ [name]: otherwise });
    return otherwise;
  }
}

/**
 * A field for a seed with a button for another one; what is no seed is said beside it.
 * @param {import('./shell.js').Shell} shell
 * @param {{label?: string, name?: string, value: number, onseed: (seed: number) => void,
 *   another?: string}} options name: in the address
 * @returns {{box: HTMLElement, set: (seed: number) => void}}
 */
export function seedField(shell, options) {
  const { label = 'Seed', name = 'seed', value, onseed, another = 'Another' } = options;
  const input = element('input', { type: 'text', inputmode: 'numeric', autocomplete: 'off',
    enterkeyhint: 'go', spellcheck: 'false', maxlength: 40, value });
  const problem = element('p', { class: 'bad small', role: 'alert' });
  const take = (seed) => {
    shell.route.set({ [name]: seed === 7 && name === 'seed' ? null : seed });
    shell.notice('link', null);
    onseed(seed);
  };
  const typed = () => {
    try {
      const seed = seedOf(input.value);
      problem.textContent = '';
      input.removeAttribute('aria-invalid');
      if (seed !== current) {
        current = seed;
        take(seed);
      }
    } catch (error) {
      problem.textContent = error.message;
      input.setAttribute('aria-invalid', 'true');
    }
  };
  let current = value;
  const set = (seed) => {
    input.value = seed;
    typed();
  };
  input.addEventListener('change', typed);
  input.addEventListener('keydown', (event) => { if (event.key === 'Enter') typed(); });
  const box = element('div', { class: 'seed' }, field(label, input),
    another && button([icon('dice'), another], () => set(anySeed()), { class: 'main' }), problem);
  return { box, set };
}

export { LARGEST_SEED };

/** The class that the address names, or the first; null where the model takes none. */
export function labelFrom(shell, model) {
  const { labels } = model.manifest;
  if (!labels) return undefined;
  return shell.route.number('label', { least: 0, most: labels.length - 1, otherwise: 0 }) | 0;
}

/** A list of the model's classes; null where it takes none. */
export function labelField(shell, model, onlabel) {
  const { labels } = model.manifest;
  if (!labels) return null;
  const options = labels.map((text, i) => [String(i), text]);
  return field('Class', select(options, String(labelFrom(shell, model)), (value) => {
    shell.route.set({ label: value });
    onlabel(Number(value));
  }));
}
