// The JavaScript engine's own parts; whole networks are compared with ONNX Runtime in Python.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { cases, engine } from './site.mjs';

const { float32of, open } = await engine('plain.js');

test('float16 numbers are NumPy\'s, all 65536 of them', () => {
  const found = float32of(Uint16Array.from({ length: 65536 }, (_, i) => i));
  cases.halves.forEach((value, i) => {
    const expected = value === 'nan' ? NaN : Number(value);
    assert.ok(Object.is(found[i], expected), `${i}: ${found[i]}, not ${expected}`);
  });
});

const PLAN = {
  schema: 'kgen-plain-1', inputs: { x: 0 }, outputs: { y: 1 }, sizes: [2, 2],
  weights: [['f4', 0, 1]],
  steps: [{ op: 'pair', f: 'mul', x: 0, w: 0, inner: 1, swapped: false, y: 1 }],
};
const TWO = new Uint8Array(Float32Array.of(2).buffer);

test('a plan runs, also with weights at an odd place of a larger buffer', async () => {
  const larger = new Uint8Array(7);
  larger.set(TWO, 3);
  for (const data of [TWO, larger.subarray(3)]) {
    const { y } = await open(PLAN, data).run({ x: { data: Float32Array.of(1, -3) } });
    assert.deepEqual([...y.data], [2, -6]);
  }
});

test('what it gave does not change with the next picture', async () => {
  const network = open(PLAN, TWO);
  const first = await network.run({ x: { data: Float32Array.of(1, 1) } });
  await network.run({ x: { data: Float32Array.of(5, 5) } });
  assert.deepEqual([...first.y.data], [2, 2]);
});

test('plans that do not fit are refused in words', () => {
  const changed = (change) => () => open({ ...PLAN, ...change }, TWO);
  assert.throws(changed({ schema: 'kgen-plain-2' }), { code: 'schema', message: /newer kgen/ });
  assert.throws(changed({ steps: [{ op: 'softmax' }] }), { code: 'schema', message: /softmax/ });
  assert.throws(changed({ steps: [{ op: 'constructor' }] }), { code: 'schema' });
  for (const weights of [[['f4', 0, 2]], [['f4', 4, 1]], [['f8', 0, 1]]]) {
    assert.throws(changed({ weights }), { code: 'schema', message: /do not fit their plan/ });
  }
});
