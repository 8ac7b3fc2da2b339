// Diffusion: noise becomes a picture, live; the steps can be gone through again.

import { button, element, still } from './dom.js';
import { Loop, loopFields } from './loop.js';
import { grid } from './picture.js';
import { labelField, labelFrom, seedField, seedFrom } from './seed.js';
import { openViewer, stage } from './viewer.js';
import { Timeline } from './timeline.js';
import { within } from './task.js';
import { many, time } from './words.js';

const MORE = 8;
const FRAME_MS = 30; // between two pictures on the screen
const CALM_FRAME_MS = 1000; // where less movement is asked for

/** Fill `root`. */
export async function mountDiffusion(root, shell, model, signal) {
  const loop = new Loop(shell.route, model);
  let seed = seedFrom(shell);
  const options = () => ({ label: labelFrom(shell, model), ...loop.options });
  const words = () => `Seed ${seed} after ${many(loop.steps, 'step')}`;
  const big = stage(shell, model.manifest.image, () => ({
    title: words(), name: `${model.name}-seed${seed}-${loop.steps}steps`,
  }));
  const timeline = new Timeline({ signal, onframe: (frame) => big.show(frame.picture) });
  const work = workPanel(shell, signal);
  const place = element('div', { class: 'place' });

  const draw = () => work.run(async (mine) => {
    const begun = performance.now();
    let shown = 0;
    timeline.begin(loop.steps);
    work.say(loop.whole ? `Taking all ${loop.steps} steps in one call…` : 'From noise…', 0);
    const onStep = (i, total, frame) => {
      if (mine.aborted || !frame) return;
      timeline.add(i, frame);
      if (!loop.whole) work.say(`Step ${i} of ${total}`, i / total);
      const now = performance.now();
      if (now - shown < (still() ? CALM_FRAME_MS : FRAME_MS)) return;
      big.show(frame);
      shown = now;
    };
    const picture = await model.sample(seed, { ...options(), signal: mine, onStep });
    if (mine.aborted) return;
    big.show(picture);
    timeline.end();
    work.say(`${words()}, in ${time(performance.now() - begun)}.`, 1);
  });

  const more = () => work.run(async (mine) => {
    const names = Array.from({ length: MORE }, (_, i) => `Picture ${i + 2} of seed ${seed}`);
    const pictures = [];
    const tiles = grid(model.manifest.image, names, (i) => openViewer(shell, {
      picture: pictures[i], title: names[i], name: `${model.name}-seed${seed}-${i + 2}`,
    }), { columns: 4 });
    place.replaceChildren(tiles.box);
    for (let i = 0; i < MORE; i += 1) {
      const onStep = (step, total) => work.say(`Picture ${i + 1} of ${MORE}`,
        (i + step / total) / MORE);
      pictures[i] = await model.sample(seed, { ...options(), first: i + 1, signal: mine, onStep });
      if (mine.aborted) return;
      tiles.show(i, pictures[i]);
    }
    work.say(`${MORE} more pictures of seed ${seed}.`, 1);
  });

  const renew = () => {
    place.replaceChildren();
    return draw();
  };
  work.again.addEventListener('click', draw);
  const seeds = seedField(shell, { value: seed, onseed: (next) => { seed = next; renew(); } });
  root.append(
    element('div', { class: 'controls' }, seeds.box, labelField(shell, model, renew)),
    element('div', { class: 'split' }, element('div', {}, big.box),
      element('div', {}, work.box, timeline.box, loopFields(shell.route, loop, renew))),
    element('h2', {}, 'More of this seed'),
    element('div', { class: 'row' }, button(`Draw ${MORE} more`, more)),
    place);
  await draw();
}

/**
 * Progress in words and as a bar, with buttons to stop and to begin again.
 * @returns {{box: HTMLElement, again: HTMLElement, say: (text: string, share: number) => void,
 *   run: (work: (signal: AbortSignal) => Promise<void>) => Promise<void>}} run ends what was going
 *   on before
 */
function workPanel(shell, signal) {
  const progress = element('progress', { max: 1, value: 0, 'aria-label': 'Steps taken' });
  const told = element('p', { class: 'soft', role: 'status' });
  const stop = button('Stop', () => going?.abort(), { hidden: true });
  const again = button('Draw again', () => null, { hidden: true });
  let going = null;
  const run = (work) => shell.attempt(async () => {
    going?.abort();
    const mine = within(signal);
    going = mine;
    [stop.hidden, again.hidden] = [false, true];
    try {
      await work(mine.signal);
    } finally {
      if (going === mine) {
        [stop.hidden, again.hidden] = [true, false];
        going = null;
        if (mine.signal.aborted) told.textContent = 'Stopped.';
      }
    }
  }, signal);
  return {
    again, run,
    box: element('div', { class: 'work' }, progress, told,
      element('div', { class: 'row' }, stop, again)),
    say(text, share) {
      told.textContent = text;
      progress.value = share;
    },
  };
}
