// Settings: what draws, in how many threads; what is kept; what this is.

import { choice, element, field, select } from './dom.js';
import { precisionsOf, runtimesOf } from './runtimes.js';
import { capital, kindName, runtimeName, size } from './words.js';

const PRECISION_NAMES = {
  fp32: 'fp32: as trained', fp16: 'fp16: half the size, looks the same',
  int8: 'int8: a quarter of the size', 'int8-static': 'int8-static: fewer bits throughout',
};

/** Fill `root`. */
export async function mountSettings(root, shell, signal) {
  root.append(element('div', { class: 'headline' }, element('h1', {}, 'Settings')));
  const capabilities = await shell.capabilities();
  if (signal.aborted) return;
  const drawn = element('p', { class: 'soft', role: 'status' });
  const about = element('div');
  const change = async (changes) => {
    await shell.change(changes);
    await reopen();
  };
  const reopen = async () => {
    drawn.textContent = 'Opening…';
    const model = await shell.attempt(() => shell.model(), signal);
    if (signal.aborted) return;
    drawn.textContent = model ? `“${shell.entry.title}” is drawn by `
      + `${runtimeName(model.runtime)} in ${model.precision}.` : 'The model is not open.';
    about.replaceChildren(...aboutModel(shell, model));
  };
  root.append(
    element('div', { class: 'two' },
      panel('What draws', runtimeField(shell, capabilities, change),
        precisionField(shell, capabilities, change), threadField(shell, capabilities, change),
        drawn),
      element('div', {}, panel('On this device', keptField(shell, signal)),
        panel('About', about, aboutApp(shell)))));
  await reopen();
}

function panel(title, ...content) {
  return element('section', { class: 'panel' }, element('h2', {}, title), content);
}

function runtimeField(shell, capabilities, change) {
  const usable = runtimesOf(shell.app, shell.entry, capabilities);
  const options = [['auto', `Automatic${usable[0] ? ` (${runtimeName(usable[0])})` : ''}`],
    ...shell.app.runtimes.map((runtime) => [runtime, capital(runtimeName(runtime))])];
  const chosen = options.some(([key]) => key === shell.settings.runtime)
    ? shell.settings.runtime : 'auto';
  const box = choice('Runtime', options, chosen, (runtime) => change({ runtime }));
  for (const runtime of shell.app.runtimes.filter((name) => !usable.includes(name))) {
    const input = box.querySelector(`input[value="${runtime}"]`);
    input.disabled = true;
    const why = capabilities.runtimes[runtime]?.why || `has no file of “${shell.entry.title}”`;
    input.nextElementSibling.append(element('small', { class: 'soft' }, ` ${why}`));
  }
  return box;
}

function precisionField(shell, capabilities, change) {
  const shipped = runtimesOf(shell.app, shell.entry, capabilities)
    .flatMap((runtime) => precisionsOf(shell.entry, runtime));
  const options = [['auto', 'Automatic'], ...[...new Set(shipped)]
    .map((precision) => [precision, PRECISION_NAMES[precision] ?? precision])];
  const chosen = options.some(([key]) => key === shell.settings.precision)
    ? shell.settings.precision : 'auto';
  return field('Precision', select(options, chosen, (precision) => change({ precision })),
    options.length > 2 ? null : 'This app has one precision of each model only.');
}

function threadField(shell, capabilities, change) {
  const most = Math.min(8, capabilities.cores);
  const counts = Array.from({ length: most }, (_, i) => [String(i + 1), String(i + 1)]);
  const chosen = String(Math.min(shell.settings.threads, most));
  const list = select(counts, chosen, (threads) => change({ threads: Number(threads) }));
  list.disabled = !capabilities.isolated || most < 2;
  if (list.disabled) list.value = '1';
  return field('Threads of ONNX Runtime', list, capabilities.isolated
    ? 'More are not always faster: measure under Speed.'
    : 'One only: a browser shares memory between threads only where the server sends the headers '
      + 'COOP and COEP. “kgen app --serve” does.');
}

/** What is kept for offline use and how large it is; the link to install where there is one. */
function keptField(shell, signal) {
  const state = element('p', { role: 'status' });
  const room = element('p', { class: 'soft' });
  shell.offline.listen(async (offline) => {
    state.textContent = offline.words;
    state.className = offline.state === 'ready' ? 'good' : '';
    try {
      const { usage, quota } = await navigator.storage.estimate();
      room.textContent = usage
        ? `${size(usage)} are kept here, of ${size(quota)} that the browser gives.` : '';
    } catch {
      room.textContent = ''; // no storage to ask, as from a file
    }
  }, signal);
  return [state, room, element('p', { class: 'soft' }, 'Pictures are made here and go nowhere '
    + 'unless you save or share them. The page asks nothing of the network but its own files.')];
}

function aboutModel(shell, model) {
  if (!model) return [element('p', {}, `“${shell.entry.title}” could not be opened.`)];
  const { image, data, training, created, kind } = model.manifest;
  const files = Object.entries(model.manifest.parts).flatMap(([, part]) => part.files)
    .filter(({ path }) => shell.entry.files.includes(path));
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  return [list([
    ['Model', `${shell.entry.title}: a ${kindName(kind)}`],
    ['Pictures', `${image.width} × ${image.height}, ${image.channels === 1 ? 'grey' : 'colour'}`],
    ['Trained on', data.name ?? 'unknown data'],
    ['Licence of the data', data.licence],
    ['What that means', data.note],
    ['Run', training?.run],
    ['Exported', created?.slice(0, 10)],
    ['Files', files.length ? `${files.length}, together ${size(total)}` : null],
  ])];
}

function aboutApp(shell) {
  const { title, kgen } = shell.app;
  return element('div', {}, list([['App', title], ['Made with', `kgen ${kgen}`]]),
    element('p', {}, element('a', { href: shell.licences, target: '_blank', rel: 'noopener' },
      'Licences of everything in this app')));
}

function list(rows) {
  return element('dl', {}, rows.filter(([, text]) => text)
    .map(([name, text]) => [element('dt', {}, name), element('dd', {}, text)]));
}
