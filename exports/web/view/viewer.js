// One picture, large, with what can be done with it.

import { blank, paint } from './picture.js';
import { button, element, field, iconButton, select } from './dom.js';
import { copy, save, share, shareable, sizes } from './save.js';

/**
 * Show a picture in a window of its own over the page.
 * @param {import('./shell.js').Shell} shell
 * @param {{picture: object, title: string, name: string, link?: boolean,
 *   step?: (by: number) => ({picture: object, title: string, name: string} | null),
 *   actions?: [string, () => void][]}} what name: of the file; step: the picture beside it;
 *   actions: more buttons, which close the window
 */
export function openViewer(shell, what) {
  const { picture, title, name, step = null, actions = [], link = true } = what;
  let shown = { picture, title, name };
  const heading = element('h2', { id: 'viewer-title' });
  const canvas = blank(picture, { role: 'img', class: 'picture' });
  const told = element('p', { class: 'soft', role: 'status' });
  const options = sizes(picture);
  let factor = options[Math.min(2, options.length - 1)][0];
  const show = (next) => {
    if (!next) return;
    shown = next;
    heading.textContent = shown.title;
    canvas.setAttribute('aria-label', shown.title);
    paint(canvas, shown.picture);
    told.textContent = '';
  };
  const doing = (work) => async () => {
    try {
      told.textContent = await work() ?? '';
    } catch (error) {
      if (error.name !== 'AbortError') told.textContent = error.message;
    }
  };
  const out = (way) => doing(() => way(shown.picture, shown.name, Number(factor)));
  const beside = (by) => show(step(by));
  const dialog = element('dialog', { class: 'viewer', 'aria-labelledby': 'viewer-title' },
    element('div', { class: 'row between' }, heading,
      iconButton('close', 'Close', () => dialog.close())),
    element('div', { class: 'beside' },
      step && iconButton('left', 'The picture before', () => beside(-1)),
      canvas,
      step && iconButton('right', 'The next picture', () => beside(1))),
    field('Size to save', select(options, factor, (value) => { factor = value; })),
    element('div', { class: 'row' },
      button('Save', out(save), { class: 'main' }),
      shareable() && button('Share', out(share)),
      link && shell.app.delivery === 'site' && button('Copy link', doing(async () => {
        await copy(location.href);
        return 'Copied: the link draws this again.';
      })),
      actions.map(([label, act]) => button(label, () => { dialog.close(); act(); }))),
    told);
  if (step) {
    dialog.addEventListener('keydown', (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by && event.target.tagName !== 'SELECT') beside(by);
    });
  }
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  show(shown);
  dialog.showModal();
}

/**
 * A large picture on the page, with a button that opens it to save and share.
 * @param {() => {title: string, name: string}} describe what is shown now
 * @returns {{box: HTMLElement, canvas: HTMLCanvasElement, picture: object|null,
 *   show: (picture: object) => void}}
 */
export function stage(shell, image, describe) {
  const canvas = blank(image, { class: 'picture', role: 'img', 'aria-label': 'Nothing drawn yet' });
  const open = () => openViewer(shell, { picture: made.picture, ...describe() });
  const keep = button('Save or share', open, { disabled: true });
  const box = element('figure', { class: 'stage' }, canvas, element('div', { class: 'row' }, keep));
  const made = {
    box, canvas, picture: null,
    show(picture) {
      made.picture = picture;
      paint(canvas, picture);
      canvas.setAttribute('aria-label', describe().title);
      keep.disabled = false;
    },
  };
  return made;
}
