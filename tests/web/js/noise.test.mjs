// The noise that the app draws with, against the tables of docs/noise.md.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { cases, engine } from './site.mjs';

const { noise } = await engine('client.js');
const { words } = await engine('noise.js');

test('the words are those of the page', () => {
  assert.ok(cases.noise.words.length >= 4);
  for (const { seed, stream, block, words: expected } of cases.noise.words) {
    assert.deepEqual([...words(seed, block, stream)], expected);
  }
});

test('the normals are those of the page', () => {
  assert.ok(cases.noise.normals.length >= 5);
  for (const { seed, stream, start, normals } of cases.noise.normals) {
    const found = noise(seed, normals.length, stream, start);
    // Of two libraries' logarithms and cosines; docs/noise.md says where it comes from.
    normals.forEach((expected, i) => assert.ok(Math.abs(found[i] - expected) <= 1e-6));
  }
});
