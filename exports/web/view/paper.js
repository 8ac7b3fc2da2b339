// A sheet to draw on by finger, pen or mouse; what is on it, as numbers for an encoder.

import { element } from './dom.js';

const SIDE = 8; // pixels of the sheet per pixel of a model's picture: lines come out smooth

/**
 * A sheet in the shape of a model's pictures.
 * @param {{width: number, height: number, channels: number, range: number[]}} image
 * @param {{onchange: () => void}} options told after every stroke
 */
export class Paper {
  /** Thickness of the brush, in pixels of the model. */
  thickness;
  colour = '#ffffff';
  invert = false;
  drawn = false;

  constructor(image, { onchange }) {
    this.image = image;
    this.onchange = onchange;
    this.thickness = Math.max(1.5, image.width / 13);
    this.canvas = element('canvas', {
      width: image.width * SIDE, height: image.height * SIDE, class: 'picture paper',
      role: 'img', 'aria-label': 'Sheet to draw on with a finger or a mouse',
    });
    this.context = this.canvas.getContext('2d', { willReadFrequently: true });
    this.canvas.addEventListener('pointerdown', (event) => this.#down(event));
    this.canvas.addEventListener('pointermove', (event) => this.#moved(event));
    this.canvas.addEventListener('pointerup', () => this.#up());
    this.canvas.addEventListener('pointercancel', () => this.#up());
    this.clear();
  }

  /** Wipe the sheet. */
  clear() {
    this.context.fillStyle = '#000000';
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    this.drawn = false;
  }

  /** Put something on it that can be drawn on a canvas: a bitmap or a picture's canvas. */
  put(source) {
    // White below what is transparent: that is how people see such pictures.
    this.context.fillStyle = '#ffffff';
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    this.context.imageSmoothingEnabled = source.width > this.image.width;
    this.context.drawImage(source, 0, 0, this.canvas.width, this.canvas.height);
    this.context.imageSmoothingEnabled = true;
    this.drawn = true;
  }

  /** Mean brightness of its edge, 0 to 1: whether it is a dark or a bright sheet. */
  edge() {
    const { width, height } = this.image;
    const shares = this.#shares();
    const { channels } = this.image;
    const edge = [];
    for (let i = 0; i < shares.length; i += 1) {
      const pixel = Math.floor(i / channels);
      const x = pixel % width;
      const y = Math.floor(pixel / width);
      if (x === 0 || y === 0 || x === width - 1 || y === height - 1) edge.push(shares[i]);
    }
    return edge.reduce((sum, share) => sum + share, 0) / edge.length;
  }

  /**
   * What is on it, as a model takes pictures.
   * @returns {{values: Float32Array, picture: {width: number, height: number,
   *   rgba: Uint8ClampedArray}}} values in the range of the model's pictures, HWC
   */
  read() {
    const { width, height, channels, range: [low, high] } = this.image;
    const shares = this.#shares();
    const values = shares.map((share) => low + share * (high - low));
    const rgba = new Uint8ClampedArray(width * height * 4);
    for (let i = 0; i < width * height; i += 1) {
      for (let c = 0; c < 3; c += 1) {
        rgba[4 * i + c] = 255 * shares[i * channels + (channels === 1 ? 0 : c)];
      }
      rgba[4 * i + 3] = 255;
    }
    return { values, picture: { width, height, rgba } };
  }

  /** Brightness 0 to 1 of each pixel and channel: the mean of the sheet's pixels below it. */
  #shares() {
    const { width, height, channels } = this.image;
    const { data } = this.context.getImageData(0, 0, this.canvas.width, this.canvas.height);
    const sums = new Float32Array(width * height * channels);
    for (let y = 0; y < this.canvas.height; y += 1) {
      const row = Math.floor(y / SIDE) * width;
      for (let x = 0; x < this.canvas.width; x += 1) {
        const at = 4 * (y * this.canvas.width + x);
        const to = (row + Math.floor(x / SIDE)) * channels;
        if (channels === 1) {
          // The weights of ITU-R 601, as Pillow's and so as those of the training data.
          sums[to] += 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
        } else {
          for (let c = 0; c < 3; c += 1) sums[to + c] += data[at + c];
        }
      }
    }
    return sums.map((sum) => {
      const share = Math.min(1, sum / (255 * SIDE * SIDE));
      return this.invert ? 1 - share : share;
    });
  }

  #down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.last = this.#place(event);
    this.#line(this.last);
  }

  #moved(event) {
    if (!this.last) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length ? events : [event]) this.#line(this.#place(one));
  }

  #up() {
    if (!this.last) return;
    this.last = null;
    this.onchange();
  }

  #line(to) {
    const { context } = this;
    context.strokeStyle = this.colour;
    context.lineWidth = this.thickness * SIDE;
    context.lineCap = 'round';
    context.lineJoin = 'round';
    context.beginPath();
    context.moveTo(...this.last);
    context.lineTo(to[0] + 0.01, to[1]); // a line of no length would leave no dot
    context.stroke();
    this.last = to;
    this.drawn = true;
  }

  #place(event) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    return [(event.clientX - left) / width * this.canvas.width,
      (event.clientY - top) / height * this.canvas.height];
  }
}
