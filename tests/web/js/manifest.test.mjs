// What the app reads of a manifest, and which files it takes.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { cases, engine } from './site.mjs';

const { checkedBytes, fileOf, precisionsOf, readManifest } = await engine('manifest.js');
const address = (content) =>
  `data:application/octet-stream;base64,${Buffer.from(content).toString('base64')}`;
const serve = (files) => {
  globalThis.KGEN_FILES = Object.fromEntries(
    Object.entries(files).map(([path, content]) => [path, address(content)]));
};
afterEach(() => { delete globalThis.KGEN_FILES; });

test('a manifest that Python wrote is read', async () => {
  for (const [kind, manifest] of Object.entries(cases.manifests)) {
    serve({ 'm/kgen.json': JSON.stringify(manifest) });
    assert.equal((await readManifest('m/')).kind, kind);
  }
});

test('another version is refused before anything else is looked at', async () => {
  for (const schema of ['kgen-bundle-2', undefined, 1]) {
    serve({ 'm/kgen.json': JSON.stringify({ schema }) });
    await assert.rejects(readManifest('m/'), { code: 'schema', message: /newer kgen/ });
  }
});

test('a manifest that is no JSON, or missing, is refused in words', async () => {
  serve({ 'm/kgen.json': '{' });
  await assert.rejects(readManifest('m/'), { code: 'schema', message: /is not JSON/ });
  serve({});
  await assert.rejects(readManifest('m/'), { code: 'missing', message: /m\/kgen.json is missing/ });
});

// What each change breaks: paths into the manifest and values that no export writes.
const FAULTS = [
  ['kind', 'other'], ['image', null], ['image.height', 0], ['image.channels', 2],
  ['image.range', [1, 0]], ['latent_dim', 0.5], ['labels', 'a'], ['parts', { generator: {} }],
  ['parts.generator.files', [{ path: 'x' }]], ['golden', null], ['parts', undefined],
];

test('a damaged manifest is refused in words', async () => {
  for (const [path, value] of FAULTS) {
    const manifest = structuredClone(cases.manifests.gan);
    const names = path.split('.'), last = names.pop();
    names.reduce((inner, name) => inner[name], manifest)[last] = value;
    serve({ 'm/kgen.json': JSON.stringify(manifest) });
    await assert.rejects(readManifest('m/'),
      { code: 'schema', message: /is damaged: .*Export the model again/ }, path);
  }
  for (const fault of [{ sigma: [0] }, { coef_last: undefined }, { name: 'other' }]) {
    const manifest = structuredClone(cases.manifests.ddpm);
    Object.assign(manifest.sampler, fault);
    serve({ 'm/kgen.json': JSON.stringify(manifest) });
    await assert.rejects(readManifest('m/'), { code: 'schema', message: /sampler/ });
  }
});

test('a file is taken if its hash is the manifest\'s', async () => {
  serve({ 'm/a': 'abc' });
  const hash = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
  assert.deepEqual([...await checkedBytes('m/a', hash)], [97, 98, 99]);
  await assert.rejects(checkedBytes('m/a', hash.replace('b', 'c')),
    { code: 'hash', message: /not the file that was exported/ });
});

const file = (path, format, precision, batch) => ({ path, format, precision, batch });
const manifest = { kind: 'gan', parts: { generator: { files: [
  file('fixed', 'onnx', 'fp16', 1), file('any', 'onnx', 'fp16', null),
  file('other', 'onnx', 'fp32', 1), file('lite', 'tflite', 'int8', 1),
] } } };

test('of several files the one for any batch is taken, of those that are shipped', () => {
  const take = (files, runtime, precision) =>
    fileOf(manifest, { files }, 'generator', runtime, precision)?.path;
  assert.equal(take(['fixed', 'any'], 'onnxruntime', 'fp16'), 'any');
  assert.equal(take(['fixed'], 'onnxruntime', 'fp16'), 'fixed');
  assert.equal(take(['lite'], 'onnxruntime', 'int8'), undefined);
  assert.equal(take(['lite'], 'litert', 'int8'), 'lite');
  assert.equal(fileOf(manifest, { files: ['any'] }, 'decoder', 'onnxruntime', 'fp16'), undefined);
  assert.deepEqual(precisionsOf(manifest, { files: ['other', 'any'] }, 'onnxruntime'),
    ['fp16', 'fp32']);
});

test('the JavaScript engine has the precision of its weights', () => {
  const plain = { generator: { plan: 'p', weights: 'w', sha256: {} } };
  assert.deepEqual(precisionsOf(manifest, { files: [], plain }, 'javascript'), ['fp16']);
  assert.deepEqual(precisionsOf(manifest, { files: [] }, 'javascript'), []);
});
