// A plane to drag over, by finger, mouse or arrow keys.

import { element } from './dom.js';

const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const STEP = 0.1; // by a key; with Shift five times that

/**
 * A square from -reach to reach in both directions, y upwards.
 * @param {{label: string, reach: number, onmove: (x: number, y: number, by: string) => void}}
 *   options onmove: where somebody points to, which may be outside; by: 'hand' or 'key'
 * @returns {{box: HTMLElement, ground: HTMLCanvasElement, place: (x: number, y: number) => void}}
 */
export function plane({ label, reach, onmove }) {
  const ground = element('canvas', { 'aria-hidden': 'true' });
  const dot = element('span', { class: 'dot', 'aria-hidden': 'true' });
  const box = element('div', {
    class: 'map', tabindex: 0, role: 'application', 'aria-label': label,
  }, ground, dot);
  let at = [0, 0];
  const toHand = (event) => {
    const { left, top, width, height } = box.getBoundingClientRect();
    onmove(((event.clientX - left) / width * 2 - 1) * reach,
      (1 - (event.clientY - top) / height * 2) * reach, 'hand');
  };
  box.addEventListener('pointerdown', (event) => {
    box.setPointerCapture(event.pointerId);
    toHand(event);
  });
  box.addEventListener('pointermove', (event) => {
    if (box.hasPointerCapture(event.pointerId)) toHand(event);
  });
  box.addEventListener('keydown', (event) => {
    const by = KEYS[event.key];
    if (!by) return;
    event.preventDefault();
    const step = event.shiftKey ? 5 * STEP : STEP;
    onmove(at[0] + by[0] * step, at[1] + by[1] * step, 'key');
  });
  return {
    box, ground,
    place(x, y) {
      at = [x, y];
      dot.style.left = `${50 + (50 * x) / reach}%`;
      dot.style.top = `${50 - (50 * y) / reach}%`;
    },
  };
}
