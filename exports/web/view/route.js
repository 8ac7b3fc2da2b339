// Where in the app one is, kept in the address after '#', so that a link draws the same picture:
// #play/between?model=vae&seed=7&b=8

import { refusal } from './words.js';

export const SECTIONS = { play: 'Play', proof: 'Proof', speed: 'Speed', settings: 'Settings' };
export const LARGEST_SEED = Number.MAX_SAFE_INTEGER;

/** The part of the address that the app reads and writes. */
export class Route {
  constructor() {
    this.read();
  }

  /** Read the address. */
  read() {
    const [path, query = ''] = location.hash.slice(1).split('?');
    const [section, way = ''] = path.split('/');
    this.section = section in SECTIONS ? section : 'play';
    this.way = way;
    this.parameters = new URLSearchParams(query);
    this.refresh();
  }

  /** The text of a parameter, or null. */
  text(name) {
    return this.parameters.get(name);
  }

  /** A number of the address, or what is given instead where it is none or outside. */
  number(name, { least = -Infinity, most = Infinity, otherwise }) {
    const text = this.parameters.get(name);
    const value = text === null || text.trim() === '' ? NaN : Number(text);
    return value >= least && value <= most ? value : otherwise;
  }

  /** Remember parameters in the address, without a new step in the browser's history. */
  set(changes) {
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === undefined) this.parameters.delete(name);
      else this.parameters.set(name, value);
    }
    history.replaceState(null, '', this.to(this.section, this.way));
    this.refresh();
  }

  /** The address of a section with today's parameters. */
  to(section, way = '') {
    const query = this.parameters.toString();
    return `#${section}${way && `/${way}`}${query && `?${query}`}`;
  }

  /** Go there: a step in the browser's history, and the event hashchange. */
  go(section, way, changes = {}) {
    const next = new URLSearchParams(this.parameters);
    for (const [name, value] of Object.entries(changes)) next.set(name, value);
    location.hash = `${section}${way && `/${way}`}?${next}`;
  }

  /** Bring the links of the page up to date: they carry today's parameters. */
  refresh() {
    for (const link of document.querySelectorAll('a[data-section]')) {
      const { section, way = '' } = link.dataset;
      link.href = this.to(section, way);
      const here = section === this.section && (!('way' in link.dataset) || way === this.way);
      if (here) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
  }
}

/**
 * A seed from what somebody typed.
 * @throws {Error} with a message for people
 */
export function seedOf(text) {
  return wholeNumber('A seed', text, 0, LARGEST_SEED);
}

/** A whole number from what somebody typed. */
export function wholeNumber(what, text, least, most) {
  const trimmed = String(text).trim();
  const value = Number(trimmed);
  if (!/^[+-]?\d+$/.test(trimmed) || value < least || value > most) {
    throw refusal(`${what} is a whole number from ${least} to ${most}. `
      + `Received: ${trimmed === '' ? 'nothing' : trimmed.slice(0, 40)}.`);
  }
  return value;
}

/** A seed that is easy to read out. */
export function anySeed() {
  return Math.floor(Math.random() * 1e6);
}
