// Play: the ways to play with a model, by what it is and what it has.

import { element } from './dom.js';
import { mountBetween } from './between.js';
import { mountDiffusion } from './diffusion.js';
import { mountDraw } from './draw.js';
import { mountMap } from './map.js';
import { mountRedraw } from './redraw.js';
import { mountSliders } from './sliders.js';
import { capital, kindName, runtimeName } from './words.js';

const WAYS = [
  { way: '', title: 'Pictures', mount: mountDraw },
  { way: 'sliders', title: 'Sliders', mount: mountSliders },
  { way: 'between', title: 'Between', mount: mountBetween },
  { way: 'map', title: 'Map', mount: mountMap, fits: (model) => model.manifest.latent_dim > 1 },
  { way: 'redraw', title: 'Redraw', mount: mountRedraw,
    fits: (model) => model.parts.includes('encoder') },
];

/**
 * Fill the page with the way to play that the address names.
 * @param {HTMLElement} root
 * @param {import('./shell.js').Shell} shell
 * @param {AbortSignal} signal ends with the view
 */
export async function mountPlay(root, shell, signal) {
  const { entry } = shell;
  const heading = element('h1', {}, entry.title);
  const under = element('p', { class: 'soft', role: 'status' },
    'Opening: the first time takes a moment.');
  root.append(element('div', { class: 'headline' }, heading, under));
  const model = await shell.model();
  if (signal.aborted) return;
  under.textContent = facts(model);
  if (model.manifest.kind === 'ddpm') {
    await mountDiffusion(root, shell, model, signal);
    return;
  }
  const ways = WAYS.filter(({ fits }) => !fits || fits(model));
  const chosen = ways.find(({ way }) => way === shell.route.way) ?? ways[0];
  root.append(element('nav', { class: 'ways', 'aria-label': 'Ways to play' },
    ways.map(({ way, title }) => element('a',
      { 'data-section': 'play', 'data-way': way }, title))));
  if (chosen.way !== shell.route.way) shell.route.way = chosen.way;
  shell.route.refresh();
  await chosen.mount(root, shell, model, signal);
}

/** What the model is, in a line. */
function facts(model) {
  const { image, kind, data } = model.manifest;
  const colour = image.colour === 'grey' ? 'grey' : 'colour';
  return [
    `${capital(kindName(kind))}${data.name ? ` trained on “${data.name}”` : ''}`,
    `${image.width} × ${image.height} ${colour}`,
    `drawn by ${runtimeName(model.runtime)}, ${model.precision}`,
  ].join(' · ');
}
