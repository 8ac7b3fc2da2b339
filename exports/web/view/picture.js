// Pictures of a model on the page: canvases of as many pixels as the model draws, shown large.

import { element } from './dom.js';

/** Put a picture on a canvas. */
export function paint(canvas, { width, height, rgba }) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  canvas.getContext('2d').putImageData(new ImageData(rgba, width, height), 0, 0);
}

/** An empty canvas in the shape of a model's pictures. */
export function blank(image, properties = {}) {
  return element('canvas', { width: image.width, height: image.height, ...properties });
}

/** A picture enlarged by a whole number, each pixel a square. */
export function enlarged(picture, factor) {
  const small = element('canvas');
  paint(small, picture);
  const canvas = element('canvas', {
    width: picture.width * factor, height: picture.height * factor,
  });
  const context = canvas.getContext('2d');
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** Several pictures side by side, as one. */
export function sheet(pictures, columns) {
  const [{ width, height }] = pictures;
  const rows = Math.ceil(pictures.length / columns);
  const canvas = element('canvas', { width: width * columns, height: height * rows });
  const context = canvas.getContext('2d');
  pictures.forEach(({ rgba }, i) => context.putImageData(
    new ImageData(rgba, width, height), (i % columns) * width, Math.floor(i / columns) * height));
  const whole = context.getImageData(0, 0, canvas.width, canvas.height);
  return { width: canvas.width, height: canvas.height, rgba: whole.data };
}

/** How many columns make a grid of so many pictures look even. */
export function columnsFor(count) {
  return Math.min(8, Math.ceil(Math.sqrt(count)));
}

/**
 * A grid of pictures to choose from; they may come one by one.
 * @param {{height: number, width: number}} image of the manifest
 * @param {string[]} labels one per picture, read aloud
 * @param {(i: number) => void} onchoose
 * @returns {{box: HTMLElement, show: (i: number, picture: object) => void,
 *   mark: (i: number) => void}}
 */
export function grid(image, labels, onchoose, { columns = columnsFor(labels.length) } = {}) {
  const canvases = labels.map(() => blank(image));
  const tiles = labels.map((label, i) => element('button', {
    type: 'button', class: 'tile', 'aria-label': label, disabled: true,
    onclick: () => onchoose(i),
  }, canvases[i]));
  const box = element('div', { class: 'grid' }, tiles);
  box.style.setProperty('--columns', columns);
  return {
    box,
    show(i, picture) {
      paint(canvases[i], picture);
      tiles[i].disabled = false;
    },
    mark(chosen) {
      tiles.forEach((tile, i) => {
        if (i === chosen) tile.setAttribute('aria-current', 'true');
        else tile.removeAttribute('aria-current');
      });
    },
  };
}
