// Proof: whether the files draw on this device what the model drew in Keras.

import { button, element } from './dom.js';
import { copy } from './save.js';
import { within } from './task.js';
import { many, runtimeName } from './words.js';

const WHAT = 'When the model was exported, it drew some pictures in Keras, where it was trained. '
  + 'Here each file gets the same noise, and what it draws on this device is compared with those '
  + 'pictures, number by number.';
const NUMBERS = 'Largest difference: of any single number; pictures go from −1 to 1 or from 0 to '
  + '1. PSNR, in decibels: how small the error is over all pictures, beside their range. Rounding to '
  + 'the 256 levels of a screen is 59 dB; below about 30 dB one begins to see a difference side by '
  + 'side. A diffusion model is judged by the finished picture.';

/** Fill `root`. */
export async function mountProof(root, shell, signal) {
  const verdict = element('p', { class: 'verdict', role: 'status' }, 'Opening the model…');
  const run = button('Run the proof', () => prove(), { class: 'main', disabled: true });
  const stop = button('Stop', () => proving?.abort(), { hidden: true });
  const copied = button('Copy as JSON', () => copyResult(), { hidden: true });
  const list = element('ul', { class: 'cards' });
  let proving = null;
  let result = null;
  root.append(
    element('div', { class: 'headline' }, element('h1', {}, 'Proof'),
      element('p', { class: 'soft' }, WHAT)),
    verdict,
    element('div', { class: 'row' }, run, stop, copied),
    list,
    element('details', {}, element('summary', {}, 'What the numbers say'),
      element('p', {}, NUMBERS)));
  const say = (text, state = '') => {
    verdict.textContent = text;
    verdict.className = `verdict ${state}`;
  };

  const prove = () => shell.attempt(async () => {
    const model = await shell.model();
    const mine = within(signal);
    proving = mine;
    [run.disabled, stop.hidden, copied.hidden] = [true, false, true];
    list.replaceChildren();
    const checks = [];
    const title = shell.entry.title;
    say(`Checking ${title}…`);
    try {
      await model.prove({ signal: mine.signal, onCheck: (check) => {
        if (mine.signal.aborted) return;
        checks.push(check);
        list.append(card(check));
        say(`Checking ${title}: ${many(checks.length, 'result')} so far…`);
      } });
      result = report(shell, model, checks);
      say(...conclusion(title, checks, model));
      copied.hidden = false;
    } catch (error) {
      if (error.code !== 'aborted') {
        say(`The proof of ${title} could not be finished: it proves nothing.`, 'bad');
      } else if (!signal.aborted) {
        say('Stopped before the end: it proves nothing.');
      }
      throw error;
    } finally {
      [run.disabled, stop.hidden] = [false, true];
    }
  }, signal);

  const copyResult = () => shell.attempt(async () => {
    await copy(JSON.stringify(result, null, 2));
    copied.textContent = 'Copied';
    shell.say('Copied as JSON.');
    setTimeout(() => { copied.textContent = 'Copy as JSON'; }, 2000);
  });

  const model = await shell.model();
  if (signal.aborted) return;
  const long = model.manifest.kind === 'ddpm' ? 'up to a minute' : 'a few seconds';
  say(`Not run yet. It takes ${long}.`);
  run.disabled = false;
}

/** The verdict, and how it looks. */
function conclusion(title, checks, model) {
  const bad = checks.filter(({ passed }) => !passed).length;
  const where = `in ${runtimeName(model.runtime)}, ${model.precision}`;
  if (checks.length === 0) return [`There was nothing to check ${where}.`, 'bad'];
  if (bad) {
    return [`${title} fails on this device ${where}: ${many(bad, 'result')} of ${checks.length} `
      + 'beyond the limit.', 'bad'];
  }
  const results = checks.length === 1 ? 'the result is' : `all ${checks.length} results are`;
  return [`${title} draws the same pictures here as where it was trained, ${where}: ${results} `
    + 'within the limits.', 'good'];
}

function card({ part, file, output, maxAbs, psnr, limit, passed, problem, runtime, precision }) {
  const rows = [
    ['Largest difference', number(maxAbs)],
    ['PSNR', Number.isFinite(psnr) ? `${psnr.toFixed(1)} dB` : '–'],
    ['Limit', limit],
    ['Ran in', `${runtimeName(runtime)}, ${precision}`],
  ];
  return element('li', { class: passed ? 'card good' : 'card bad' },
    element('h2', {}, file),
    element('p', { class: 'outcome' }, passed ? '✓ Passed' : '✗ Failed',
      element('span', { class: 'soft' }, ` ${part}, ${output}`)),
    !passed && problem ? element('p', {}, problem) : null,
    element('dl', {}, rows.map(([name, text]) => [
      element('dt', {}, name), element('dd', {}, text)])));
}

function number(value) {
  if (!Number.isFinite(value)) return '–';
  return value !== 0 && value < 0.001 ? value.toExponential(1) : value.toFixed(4);
}

/** What was found, for people to send to each other. */
function report(shell, model, checks) {
  return {
    schema: 'kgen-proof-1', model: model.name, kgen: shell.app.kgen,
    created: new Date().toISOString(), userAgent: navigator.userAgent,
    runtime: model.runtime, precision: model.precision,
    passed: checks.length > 0 && checks.every(({ passed }) => passed), checks,
  };
}
