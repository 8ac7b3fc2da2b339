// Speed: how long pictures take on this device.

import { button, element } from './dom.js';
import { precisionsOf, runtimesOf } from './runtimes.js';
import { copy } from './save.js';
import { within } from './task.js';
import { many, runtimeName, tell, time } from './words.js';

const RUNS = 20;
const FEW_RUNS = 5; // a phone may take seconds for each
const COLUMNS = ['Model', 'Load', 'First', 'Each'];
const WHAT = 'How long this device takes for a picture. Load: until the model is ready. First: the '
  + 'first picture, for which much is still set up. Each: the median of '
  + `${RUNS} pictures, of a diffusion model of ${FEW_RUNS}, with all steps.`;
const MIND = 'A low battery, a warm device and busy tabs make it slower: close them, plug it in, '
  + 'and measure twice. Nothing of this leaves the device unless you copy it.';

/** Fill `root`. */
export async function mountSpeed(root, shell, signal) {
  const progress = element('progress', { max: 1, value: 0, hidden: true,
    'aria-label': 'Measured' });
  const told = element('p', { class: 'soft', role: 'status' });
  const one = button('Measure this model', () => measure([shell.entry], false), { class: 'main' });
  const all = button('Measure everything', () => measure(shell.app.models, true));
  const stop = button('Stop', () => measuring?.abort(), { hidden: true });
  const copied = button('Copy as JSON', () => copyResults(), { hidden: true });
  const rows = element('tbody');
  const table = element('div', { class: 'scroll', tabindex: 0, role: 'region', hidden: true,
    'aria-label': 'What was measured' },
  element('table', {}, element('thead', {}, element('tr', {},
    COLUMNS.map((name) => element('th', { scope: 'col' }, name)))), rows));
  let measuring = null;
  let results = [];
  root.append(
    element('div', { class: 'headline' }, element('h1', {}, 'Speed'),
      element('p', { class: 'soft' }, WHAT)),
    element('div', { class: 'row' }, one, all, stop, copied),
    progress, told, table,
    element('p', { class: 'soft' }, MIND));

  const measure = (entries, everything) => shell.attempt(async () => {
    const capabilities = await shell.capabilities();
    const cases = entries.flatMap((entry) => casesOf(shell, entry, capabilities, everything));
    const mine = within(signal);
    measuring = mine;
    results = [];
    rows.replaceChildren();
    [one.disabled, all.disabled] = [true, true];
    [stop.hidden, progress.hidden, table.hidden, copied.hidden] = [false, false, false, true];
    await shell.closeModel(); // what is open would share memory with what is measured
    try {
      for (const [i, what] of cases.entries()) {
        if (mine.signal.aborted) break;
        const { entry, runtime, precision } = what;
        told.textContent = `${entry.title} in ${runtimeName(runtime)}, ${precision}…`;
        await row(what, mine.signal, (share) => { progress.value = (i + share) / cases.length; });
      }
    } finally {
      [one.disabled, all.disabled] = [false, false];
      [stop.hidden, progress.hidden, copied.hidden] = [true, true, results.length === 0];
      told.textContent = mine.signal.aborted ? 'Stopped.' : 'Measured.';
    }
  }, signal);

  /** Measure one case and add its row; what fails is a row too. */
  const row = async ({ entry, runtime, precision }, mine, onshare) => {
    const name = element('th', { scope: 'row' }, entry.title,
      element('small', {}, `${runtimeName(runtime)}, ${precision}`));
    try {
      const model = await shell.engine.open(entry.name, { runtime, precision });
      try {
        const runs = model.manifest.kind === 'ddpm' ? FEW_RUNS : RUNS;
        const found = await model.bench({ signal: mine, runs,
          onRun: (i, total) => onshare((i + 1) / total) });
        results.push(found);
        name.lastChild.textContent += `, ${many(found.threads, 'thread')}`;
        rows.append(element('tr', {}, name, [found.loadMs, found.firstMs, found.medianMs]
          .map((ms) => element('td', {}, time(ms)))));
      } finally {
        await model.close();
      }
    } catch (error) {
      const text = tell(error);
      if (!text) return;
      const cell = element('td', { colspan: COLUMNS.length - 1, class: 'wide' }, text);
      rows.append(element('tr', {}, name, cell));
    }
  };

  const copyResults = () => shell.attempt(async () => {
    await copy(JSON.stringify(results, null, 2));
    copied.textContent = 'Copied';
    shell.say('Copied as JSON.');
    setTimeout(() => { copied.textContent = 'Copy as JSON'; }, 2000);
  });
}

/** In what to measure a model: as the settings say, or in everything that works here. */
function casesOf(shell, entry, capabilities, everything) {
  const runtimes = runtimesOf(shell.app, entry, capabilities);
  const cases = runtimes.flatMap((runtime) => precisionsOf(entry, runtime)
    .map((precision) => ({ entry, runtime, precision })));
  if (everything) return cases;
  const { runtime, precision } = shell.settings;
  const wished = cases.find((one) => one.runtime === runtime && one.precision === precision)
    ?? cases.find((one) => one.runtime === runtime)
    ?? cases.find((one) => one.precision === precision);
  return wished ? [wished] : cases.slice(0, 1);
}
