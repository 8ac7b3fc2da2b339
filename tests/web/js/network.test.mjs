// How rows are fed to files of any batch and of a fixed one; runtimes are played by functions here.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { engine } from './site.mjs';

const { Network } = await engine('network.js');
const PART = {
  inputs: [{ name: 'z', shape: [null, 2] }, { name: 'label', shape: [null] }],
  outputs: [{ name: 'image', shape: [null, 1] }],
};

/** A network that gives z[0] + 10 z[1] + 100 label of each row, and notes the size of each call. */
function counting(batch) {
  const calls = [];
  const session = {
    async run({ z, label }) {
      calls.push([z.dims, label.dims, label.data.constructor.name]);
      const data = Float32Array.from(label.data, (l, row) =>
        z.data[2 * row] + 10 * z.data[2 * row + 1] + 100 * l);
      return { image: { data, dims: [data.length, 1] } };
    },
  };
  return [new Network(session, PART, { batch }, 'models/x'), calls];
}

const feeds = (count) => ({
  z: Float32Array.from({ length: 2 * count }, (_, i) => i),
  label: Int32Array.from({ length: count }, (_, i) => i),
});
const expected = (count) => Array.from({ length: count }, (_, i) => 22 * i + 10 + 100 * i);

test('every row comes out once and in order, whatever the batch', async () => {
  for (const batch of [null, 1, 2, 3, 8]) {
    for (const count of [1, 2, 7, 8, 9, 20]) {
      const { image } = await counting(batch)[0].run(feeds(count), count);
      assert.deepEqual([...image], expected(count));
    }
  }
});

test('a fixed batch is always full, and one for any never padded', async () => {
  const [fixed, full] = counting(3);
  await fixed.run(feeds(4), 4);
  assert.deepEqual(full, [[[3, 2], [3], 'Int32Array'], [[3, 2], [3], 'Int32Array']]);
  const [any, short] = counting(null);
  await any.run(feeds(9), 9);
  assert.deepEqual(short.map(([dims]) => dims[0]), [8, 1]);
});

test('pieces are handed over as they are made', async () => {
  const pieces = [];
  await counting(2)[0].run(feeds(3), 3, { onPiece: (at, { image }) => pieces.push([at, ...image]) });
  assert.deepEqual(pieces, [[0, 10, 132], [2, 254]]);
});

test('a pause that throws stops before the next call', async () => {
  const [network, calls] = counting(1);
  let left = 2;
  const pause = async () => { if (left-- === 0) throw new Error('stopped'); };
  await assert.rejects(network.run(feeds(5), 5, { pause }), /stopped/);
  assert.equal(calls.length, 2);
});

test('what a runtime throws becomes words', async () => {
  const failing = (error) => new Network({ run: async () => { throw error; } }, PART,
    { batch: 1 }, 'models/gan/generator.onnx');
  const run = (error) => failing(error).run(feeds(1), 1);
  await assert.rejects(run(new Error('bad node\nat x')),
    { code: 'runtime', message: /^Running models\/gan\/generator.onnx failed: bad node\./ });
  // Emscripten throws numbers.
  await assert.rejects(run(4711), { code: 'runtime', message: /failed: 4711/ });
  for (const text of ['Aborted(OOM)', 'std::bad_alloc', 'WebAssembly.Memory.grow(): out of memory']) {
    await assert.rejects(run(new Error(text)), { code: 'memory', message: /more memory/ });
  }
});
