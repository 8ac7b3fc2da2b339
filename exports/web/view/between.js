// Between: from the picture of one seed to that of another.

import { button, element, icon, slider, still } from './dom.js';
import { grid } from './picture.js';
import { anySeed } from './route.js';
import { labelField, labelFrom, latents, seedField, seedFrom } from './seed.js';
import { stage } from './viewer.js';
import { newest, pause } from './task.js';

const STRIP = 9;
const SECONDS = 4; // from one end to the other
const WHY = 'A picture begins as a point of random numbers. Nearly all such points lie at about '
  + 'the same distance from the middle, and the model has learned to draw from there only. A '
  + 'straight line between two of them cuts through the middle, where pictures are blurred or '
  + 'wrong. The way taken here is an arc that keeps the distance.';

/**
 * The point at share t of the arc from a to b, two vectors of noise.
 *
 * Of many normal numbers nearly all lie at about the same distance from 0, and the model has seen
 * no others. A straight line cuts through the middle; the arc keeps the distance.
 * Source: Shoemake (1985), Animating rotation with quaternion curves; White (2016), Sampling
 * generative networks, section 2.1.
 */
export function spherical(a, b, t) {
  const dot = a.reduce((sum, value, i) => sum + value * b[i], 0);
  const cosine = dot / (Math.hypot(...a) * Math.hypot(...b) || 1);
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  const sine = Math.sin(angle);
  const [wa, wb] = sine < 1e-6 ? [1 - t, t] // the same direction: there is no arc
    : [Math.sin((1 - t) * angle) / sine, Math.sin(t * angle) / sine];
  return a.map((value, i) => wa * value + wb * b[i]);
}

/** Fill `root`. */
export async function mountBetween(root, shell, model, signal) {
  const { route } = shell;
  const { image, latent_dim: dim } = model.manifest;
  const ends = [seedFrom(shell), seedFrom(shell, 'to', 8)];
  let t = route.number('t', { least: 0, most: 1, otherwise: 0.5 });
  const at = (share) => spherical(...ends.map((seed) => latents(seed, 0, dim)), share);
  const options = () => ({ label: labelFrom(shell, model), signal });
  const words = (share) => `${Math.round(share * 100)} % from seed ${ends[0]} to seed ${ends[1]}`;
  const big = stage(shell, image, () => ({
    title: words(t), name: `${model.name}-${ends[0]}-to-${ends[1]}-${Math.round(t * 100)}`,
  }));
  const redraw = newest(() => shell.attempt(async () => {
    const [picture] = await model.decode(at(t), options());
    if (!signal.aborted) big.show(picture);
  }, signal));
  const go = (share) => {
    t = share;
    way.set(t);
    route.set({ t: Math.round(t * 1000) / 1000 });
    return redraw();
  };
  const way = slider({ label: 'Where between the two', min: 0, max: 1, step: 0.01, value: t,
    show: (share) => `${Math.round(share * 100)} %`,
    oninput: (share) => { player.stop(); go(share); } });
  const shares = Array.from({ length: STRIP }, (_, i) => i / (STRIP - 1));
  const place = element('div', { class: 'place' });
  const strip = newest(() => shell.attempt(async () => {
    const made = grid(image, shares.map(words), (i) => { player.stop(); go(shares[i]); },
      { columns: STRIP });
    made.box.classList.add('strip');
    place.replaceChildren(made.box);
    const points = Float32Array.from(shares.flatMap((share) => [...at(share)]));
    (await model.decode(points, options())).forEach((picture, i) => made.show(i, picture));
  }, signal));
  const player = playButton(() => t, go, signal);
  const fields = ['seed', 'to'].map((name, i) => seedField(shell, {
    name, label: i ? 'To seed' : 'From seed', value: ends[i], another: null,
    onseed: (seed) => {
      ends[i] = seed;
      redraw();
      strip();
    },
  }));
  const pair = button([icon('dice'), 'Another two'], () => {
    player.stop();
    fields.forEach((made) => made.set(anySeed()));
  }, { class: 'main' });
  root.append(
    element('div', { class: 'controls' },
      element('div', { class: 'pair' }, fields.map(({ box }) => box)), pair,
      labelField(shell, model, () => { redraw(); strip(); })),
    element('div', { class: 'split' }, big.box,
      element('div', {}, way.box, element('div', { class: 'row' }, player.button), place,
        element('details', {}, element('summary', {}, 'Why not in a straight line?'),
          element('p', {}, WHY)))));
  await Promise.all([redraw(), strip()]);
}

/** A button that goes to and fro until it is pressed again. */
function playButton(where, go, signal) {
  let playing = false;
  const stop = () => {
    playing = false;
    made.replaceChildren(icon('run'), 'Play');
  };
  const run = async () => {
    playing = true;
    made.replaceChildren(icon('pause'), 'Pause');
    let direction = 1;
    let before = performance.now();
    while (playing && !signal.aborted) {
      // With less movement asked for: one step of the strip per second, nothing gliding.
      const calm = still();
      await (calm ? pause(1000, signal) : new Promise(requestAnimationFrame));
      const now = performance.now();
      const step = calm ? 1 / (STRIP - 1) : Math.min(0.1, (now - before) / 1000 / SECONDS);
      before = now;
      if (!playing) break;
      const next = where() + direction * step;
      if (next > 1 || next < 0) direction = -direction;
      await go(Math.min(1, Math.max(0, where() + direction * step)));
    }
  };
  const made = button([icon('run'), 'Play'], () => (playing ? stop() : run()));
  return { button: made, stop };
}
