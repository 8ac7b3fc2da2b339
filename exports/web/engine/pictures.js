// From a network's numbers to pixels, by the rule of docs/manifest.md, and back.

/**
 * @typedef {object} Picture
 * @property {number} width
 * @property {number} height
 * @property {Uint8ClampedArray} rgba four bytes a pixel, for ImageData
 * @property {Float32Array} values what the network drew: height * width * channels numbers
 */

/**
 * Rounds to the nearest whole number, halves to the even one, as NumPy does.
 * @param {number} x
 */
export function roundHalfEven(x) {
  const floor = Math.floor(x), rest = x - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * Makes a picture of numbers.
 * @param {Float32Array} values height * width * channels numbers, kept in the picture
 * @param {{height: number, width: number, channels: number, range: number[]}} image the manifest's
 * @returns {Picture}
 */
export function picture(values, image) {
  const { height, width, channels, range: [low, high] } = image;
  const rgba = new Uint8ClampedArray(height * width * 4);
  // In float32 like kgen's own rule, so that a value between two levels falls on the same side.
  const scale = Math.fround(255 / (high - low)), base = Math.fround(low);
  const level = (i) => roundHalfEven(Math.fround(Math.fround(values[i] - base) * scale));
  for (let p = 0; p < height * width; p++) {
    const at = p * channels;
    rgba[4 * p] = level(at);
    rgba[4 * p + 1] = channels === 3 ? level(at + 1) : rgba[4 * p];
    rgba[4 * p + 2] = channels === 3 ? level(at + 2) : rgba[4 * p];
    rgba[4 * p + 3] = 255;
  }
  return { width, height, rgba, values };
}

/**
 * Cuts the numbers of several pictures apart.
 * @param {Float32Array} values
 * @param {object} image the manifest's
 * @returns {Picture[]}
 */
export function pictures(values, image) {
  const size = image.height * image.width * image.channels;
  const count = values.length / size;
  return Array.from({ length: count },
    (_, i) => picture(values.slice(i * size, (i + 1) * size), image));
}
