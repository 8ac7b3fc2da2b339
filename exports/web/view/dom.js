// Elements without a framework: made here, filled with text and never with markup.

let made = 0;

/**
 * Make an element.
 * @param {string} tag
 * @param {Object<string, any>} properties attributes; on... are listeners; false, null, undefined
 *   are left out; `value` and `checked` are set last, when a list has its options
 * @param {...(Node|string|null|Array)} children
 * @returns {HTMLElement}
 */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  const { value, checked, ...attributes } = properties;
  for (const [name, setting] of Object.entries(attributes)) {
    if (setting === undefined || setting === null || setting === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), setting);
    else node.setAttribute(name, setting === true ? '' : setting);
  }
  const wanted = (child) => ![null, undefined, false].includes(child);
  node.append(...children.flat(Infinity).filter(wanted));
  if (value !== undefined) node.value = value;
  if (checked !== undefined) node.checked = checked;
  return node;
}

/** A drawing of the sprite in index.html. Names: play, proof, run, pause, left, ... */
export function icon(name) {
  const space = 'http://www.w3.org/2000/svg';
  const node = document.createElementNS(space, 'svg');
  node.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(space, 'use');
  use.setAttribute('href', `#icon-${name}`);
  node.append(use);
  return node;
}

/** A push button; `properties` as of element(). */
export function button(label, onclick, properties = {}) {
  return element('button', { type: 'button', onclick, ...properties }, label);
}

/** A button that shows a drawing; its label is read aloud. */
export function iconButton(name, label, onclick, properties = {}) {
  const title = { 'aria-label': label, title: label };
  return element('button', { type: 'button', onclick, class: 'icon', ...title, ...properties },
    icon(name));
}

/** A control under its label, with a hint that is read with it. */
export function field(label, control, hint = null) {
  control.id ||= `control-${++made}`;
  const note = hint && element('small', { id: `${control.id}-hint`, class: 'soft' }, hint);
  if (note) control.setAttribute('aria-describedby', note.id);
  return element('div', { class: 'field' }, element('label', { for: control.id }, label),
    control, note);
}

/** A list to choose from. options: [[value, text], ...]. */
export function select(options, value, onchange) {
  const list = element('select', {},
    options.map(([key, text]) => element('option', { value: key }, text)));
  list.value = value;
  list.addEventListener('change', () => onchange(list.value));
  return list;
}

/** A box to tick; the whole line can be touched. */
export function tick(label, checked, onchange) {
  const box = element('input', { type: 'checkbox', checked });
  box.addEventListener('change', () => onchange(box.checked));
  return element('label', { class: 'tick' }, box, element('span', {}, label));
}

/**
 * A slider with its value in words.
 * @param {{label: string, min: number, max: number, step: number, value: number,
 *   show?: (value: number) => string, oninput: (value: number) => void}} options
 * @returns {{box: HTMLElement, input: HTMLInputElement, set: (value: number) => void}}
 */
export function slider({ label, min, max, step, value, show = (v) => v.toFixed(2), oninput }) {
  const input = element('input', { type: 'range', min, max, step });
  const output = element('output', {});
  const told = () => {
    output.textContent = show(input.valueAsNumber);
    input.setAttribute('aria-valuetext', output.textContent);
  };
  const set = (next) => { input.value = next; told(); };
  input.addEventListener('input', () => { told(); oninput(input.valueAsNumber); });
  const box = field(label, input);
  box.classList.add('slider');
  box.append(output);
  output.setAttribute('for', input.id);
  set(value);
  return { box, input, set };
}

/** One of several, all in sight. options: [[value, text], ...]. */
export function choice(legend, options, value, onchange) {
  const name = `choice-${++made}`;
  const one = ([key, text]) => element('label', { class: 'tick' },
    element('input', { type: 'radio', name, value: key, checked: key === value,
      onchange: () => onchange(key) }),
    element('span', {}, text));
  return element('fieldset', { class: 'choice' }, element('legend', {}, legend), options.map(one));
}

/** Whether people have asked for less movement. */
export function still() {
  return matchMedia('(prefers-reduced-motion: reduce)').matches;
}
