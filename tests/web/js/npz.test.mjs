// NumPy's files, written by NumPy, read by the app; and what it says of damaged ones.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { cases, engine } from './site.mjs';

const { readNpz, readNpy } = await engine('npz.js');
const read = (path) => new Uint8Array(readFileSync(path));

test('arrays are those that NumPy wrote, packed or not', async () => {
  for (const path of cases.npz.files) {
    const found = await readNpz(read(path));
    assert.deepEqual(Object.keys(found).sort(), Object.keys(cases.npz.arrays).sort());
    for (const [name, { shape, values, kind }] of Object.entries(cases.npz.arrays)) {
      assert.deepEqual(found[name].shape, shape);
      assert.deepEqual([...found[name].data], values);
      assert.equal(found[name].data.constructor.name, kind);
    }
  }
});

test('a file may lie anywhere in a larger buffer', async () => {
  const file = read(cases.npz.files[0]);
  const larger = new Uint8Array(file.length + 5);
  larger.set(file, 3);
  const found = await readNpz(larger.subarray(3, 3 + file.length));
  assert.deepEqual([...found['b/in/x'].data], cases.npz.arrays['b/in/x'].values);
});

test('a file that is cut off anywhere is refused in words', async () => {
  const file = read(cases.npz.files[0]);
  for (let length = 0; length < file.length; length += 7) {
    await assert.rejects(readNpz(file.slice(0, length)),
      { name: 'EngineError', code: 'schema', message: /golden cases are damaged/ });
  }
});

test('a file with a wrong byte is read or refused, and nothing else', async () => {
  const file = read(cases.npz.files[0]);
  let refused = 0;
  for (let at = 0; at < file.length; at++) {
    const bent = file.slice();
    bent[at] ^= 0xff;
    await readNpz(bent).catch((error) => {
      assert.equal(error.name, 'EngineError');
      refused += 1;
    });
  }
  assert.ok(refused > 100);
});

test('other kinds of arrays are refused in words', async () => {
  for (const [path, words] of Object.entries(cases.npz.refused)) {
    await assert.rejects(readNpz(read(path)), { code: 'schema', message: new RegExp(words) });
  }
});

test('a shape that is larger than its file is refused', () => {
  const text = "{'descr': '<f4', 'fortran_order': False, 'shape': (9, 99999999), }";
  const file = new Uint8Array(10 + text.length + 8);
  file.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length, 0]);
  file.set(new TextEncoder().encode(text), 10);
  assert.throws(() => readNpy(file), { code: 'schema', message: /cut off/ });
});
