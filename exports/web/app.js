// Start-up and navigation: app.json is read, the part of the page that the address names is shown.

import { json, url } from './engine/assets.js';
import { button, element, field, select } from './view/dom.js';
import { Offline } from './view/offline.js';
import { mountPlay } from './view/play.js';
import { mountProof } from './view/proof.js';
import { Route, SECTIONS } from './view/route.js';
import { mountSettings } from './view/settings.js';
import { Shell } from './view/shell.js';
import { mountSpeed } from './view/speed.js';
import { keptSettings } from './view/store.js';
import { refusal, tell } from './view/words.js';

const MOUNT = { play: mountPlay, proof: mountProof, speed: mountSpeed, settings: mountSettings };
const SCHEMA = 'kgen-app-1';

/** Read what the app consists of, and refuse what a newer kgen wrote. */
async function readApp() {
  const app = await json('app.json');
  if (app.schema !== SCHEMA) {
    throw refusal(`app.json is of “${app.schema}”, and these pages read “${SCHEMA}”: files of two `
      + 'versions are mixed. Load the page again; if that does not help, build it again with '
      + 'kgen app.');
  }
  return app;
}

/** The part of the page that is shown; it ends when another one comes. */
let shown = new AbortController();

/** Show what the address names. */
async function show(shell) {
  shown.abort();
  shown = new AbortController();
  const { signal } = shown;
  const { section } = shell.route;
  const root = element('div', { class: `view ${section}` });
  document.getElementById('view').replaceChildren(root);
  document.title = `${SECTIONS[section]} · ${shell.entry.title} · ${shell.app.title}`;
  for (const name of ['problem', 'link']) shell.notice(name, null);
  shell.say('');
  try {
    await MOUNT[section](root, shell, signal);
  } catch (error) {
    if (signal.aborted) return;
    shell.fail(error);
    if (!tell(error)) return;
    root.querySelector('.headline [role=status]')?.remove();
    root.append(element('div', { class: 'row' }, button('Try again', () => show(shell))));
  }
}

/** The list of models, where there are several; follows the address when told to. */
function modelPicker(shell) {
  if (shell.app.models.length < 2) return () => null;
  const options = shell.app.models.map(({ name, title }) => [name, title]);
  const list = select(options, shell.entry.name, (name) => {
    const { route } = shell;
    const seed = route.text('seed');
    route.parameters = new URLSearchParams(seed === null ? {} : { seed });
    route.go(route.section, route.section === 'play' ? '' : route.way, { model: name });
  });
  document.getElementById('models').append(field('Model', list));
  return () => { list.value = shell.entry.name; };
}

/** Start. */
async function start() {
  const app = await readApp();
  document.getElementById('title').textContent = app.title;
  const route = new Route();
  const shell = new Shell(app, route, keptSettings());
  shell.licences = url('LICENSES.txt');
  shell.offline = new Offline();
  shell.offline.start(app.delivery);
  const followModel = modelPicker(shell);
  addEventListener('hashchange', () => {
    route.read();
    followModel();
    show(shell);
  });
  await show(shell);
}

start().catch((error) => {
  document.getElementById('view').replaceChildren(
    element('h1', {}, 'This app cannot start'),
    element('p', { role: 'alert' }, tell(error) ?? 'It was stopped.'));
});
