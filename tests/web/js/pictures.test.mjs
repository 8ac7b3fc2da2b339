// Bytes of pictures, against Python's rule.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { cases, engine } from './site.mjs';

const { picture, pictures, roundHalfEven } = await engine('pictures.js');

test('halves are rounded to the even number', () => {
  const given = [-1.5, -0.5, 0.5, 1.5, 2.5, 2.4999, 2.5001, 254.5];
  assert.deepEqual(given.map(roundHalfEven).map((x) => x + 0), [-2, 0, 0, 2, 2, 2, 3, 254]);
});

test('the bytes of a picture are Python\'s', () => {
  for (const { image, values, bytes } of cases.pictures) {
    const numbers = Float32Array.from(values);
    const { width, height, rgba } = picture(numbers, image);
    assert.deepEqual([width, height, rgba.length], [image.width, image.height, 4 * width * height]);
    for (let p = 0; p < width * height; p++) {
      const expected = [0, 1, 2].map((c) => bytes[p * image.channels + c % image.channels]);
      assert.deepEqual([...rgba.slice(4 * p, 4 * p + 4)], [...expected, 255]);
    }
  }
});

test('several pictures are cut apart', () => {
  const image = { height: 1, width: 2, channels: 1, range: [0, 1] };
  const [first, second] = pictures(Float32Array.of(0, 1, 1, 0), image);
  assert.deepEqual([...first.values, ...second.values], [0, 1, 1, 0]);
  assert.deepEqual([first.rgba[0], second.rgba[0]], [0, 255]);
});
