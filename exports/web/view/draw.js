// Pictures: a grid from a seed.

import { element, field, select, button } from './dom.js';
import { columnsFor, grid, sheet } from './picture.js';
import { labelField, labelFrom, seedField, seedFrom } from './seed.js';
import { openViewer } from './viewer.js';
import { within } from './task.js';
import { many } from './words.js';

const COUNTS = [1, 4, 9, 16, 25, 36, 64];

/** Fill `root`. */
export async function mountDraw(root, shell, model, signal) {
  const { route } = shell;
  const { image } = model.manifest;
  let drawing = null; // the controller of what is being drawn
  let pictures = [];
  const place = element('div', { class: 'place' });
  const all = button('Save all as one', () => viewAll(), { disabled: true });
  const count = () => {
    const wished = route.number('count', { least: 1, most: 64, otherwise: 16 });
    return COUNTS.find((known) => known >= wished);
  };
  let seed = seedFrom(shell);

  const describe = (i) => ({
    picture: pictures[i],
    title: `Picture ${i + 1} of seed ${seed}`,
    name: `${model.name}-seed${seed}-${i + 1}`,
  });
  const viewAll = () => openViewer(shell, {
    picture: sheet(pictures, columnsFor(pictures.length)),
    title: `${many(pictures.length, 'picture')} of seed ${seed}`,
    name: `${model.name}-seed${seed}`,
  });
  const view = (first) => {
    let i = first;
    const step = (by) => {
      const next = i + by;
      if (!pictures[next]) return null;
      i = next;
      route.set({ pick: i || null });
      tiles.mark(i);
      return describe(i);
    };
    route.set({ pick: i || null });
    tiles.mark(i);
    openViewer(shell, { ...describe(i), step, actions: [
      ['Change it with sliders', () => route.go('play', 'sliders')],
    ] });
  };
  let tiles = null;

  const draw = () => shell.attempt(async () => {
    drawing?.abort();
    const mine = within(signal);
    drawing = mine;
    pictures = [];
    all.disabled = true;
    const total = count();
    const labels = Array.from({ length: total }, (_, i) => `Picture ${i + 1} of seed ${seed}`);
    const made = grid(image, labels, view);
    tiles = made;
    place.setAttribute('aria-busy', 'true');
    place.replaceChildren(made.box);
    try {
      await model.draw(seed, { count: total, label: labelFrom(shell, model), signal: mine.signal,
        onPicture: (i, picture) => {
          if (mine.signal.aborted) return;
          pictures[i] = picture;
          made.show(i, picture);
        } });
    } finally {
      if (drawing === mine) place.removeAttribute('aria-busy');
    }
    all.disabled = false;
    shell.say(`${many(total, 'picture')} of seed ${seed} drawn.`);
  }, signal);

  const counts = select(COUNTS.map((n) => [String(n), String(n)]), String(count()), (value) => {
    route.set({ count: value === '16' ? null : value, pick: null });
    draw();
  });
  root.append(
    element('div', { class: 'controls' },
      seedField(shell, { value: seed, onseed: (next) => {
        seed = next;
        route.set({ pick: null });
        draw();
      } }).box,
      field('How many', counts),
      labelField(shell, model, draw)),
    element('div', { class: 'gallery' }, place, element('div', { class: 'beneath' },
      element('p', { class: 'soft' }, 'Choose a picture to see it large, to save or to share it.'),
      element('p', { class: 'soft' },
        'A seed is the same pictures on every device, and in Python.'),
      element('div', { class: 'row' }, all))));
  await draw();
}
