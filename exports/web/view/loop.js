// How a diffusion model goes from noise to picture: in how many steps, how, with how much noise.

import { choice, element, field, select, slider } from './dom.js';

const STEPS = [5, 10, 20, 50, 100, 250];

/** What the address says of the loop, within what the model has. */
export class Loop {
  constructor(route, model) {
    this.route = route;
    this.sampler = model.manifest.sampler;
    this.inOneFile = model.parts.includes('sampler');
  }

  /** Whether the file that holds the whole loop draws. */
  get whole() {
    return this.inOneFile && this.route.text('whole') === '1';
  }

  get steps() {
    const { num_steps: usual, num_timesteps: most } = this.sampler;
    if (this.whole) return usual;
    return Math.round(this.route.number('steps', { least: 1, most, otherwise: usual }));
  }

  get eta() {
    const { eta } = this.sampler;
    return this.whole ? eta : this.route.number('eta', { least: 0, most: 1, otherwise: eta });
  }

  /** Options of Model.sample. */
  get options() {
    if (this.whole) return { whole: true };
    const { num_steps: usual, eta } = this.sampler;
    // Left out where it is what the file says: then the table that was exported is used as it is.
    return this.steps === usual && this.eta === eta ? {} : { numSteps: this.steps, eta: this.eta };
  }
}

/** Fields that change a loop; `renew` is called after each change. */
export function loopFields(route, loop, renew) {
  const { num_steps: usual, num_timesteps: most } = loop.sampler;
  const counts = [...new Set([...STEPS, usual, loop.steps, most])]
    .filter((count) => count <= most).sort((a, b) => a - b);
  const name = (count) => (count === usual ? `${count} (as exported)` : String(count));
  const list = select(counts.map((count) => [String(count), name(count)]), String(loop.steps),
    (value) => { route.set({ steps: value }); renew(); });
  const stir = slider({ label: 'Noise added on the way (eta)', min: 0, max: 1, step: 0.1,
    value: loop.eta, show: (v) => v.toFixed(1), oninput: () => null });
  stir.input.addEventListener('change', () => { route.set({ eta: stir.input.value }); renew(); });
  const fix = () => {
    [list.disabled, stir.input.disabled] = [loop.whole, loop.whole];
    list.value = String(loop.steps);
    stir.set(loop.eta);
  };
  const how = loop.inOneFile && choice('How', [
    ['0', 'Step by step: every step can be seen'],
    ['1', `All ${usual} steps in one file: faster on many devices, seen at the end`],
  ], loop.whole ? '1' : '0', (value) => {
    route.set({ whole: value === '1' ? value : null });
    fix();
    renew();
  });
  fix();
  return element('div', { class: 'panel' }, how,
    field('Steps', list, 'Fewer are faster, more are finer.'), stir.box);
}
