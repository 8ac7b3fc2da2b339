// Runs a starter's self-test with a runtime at the other end of a pipe: node real_files.mjs ASSETS.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { readManifest } from './core/manifest.ts';
import { Painter } from './core/painter.ts';
import { selfTest } from './core/self-test.ts';

const read = (name) => JSON.parse(readFileSync(`${process.argv[2]}/${name}`, 'utf8'));
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const manifest = readManifest(read('kgen.json'), read('starter.json'));
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// By place, as react-native-fast-tflite feeds.
const painter = new Painter(manifest, async (file) => ({
  async run(feeds) {
    say({ path: file.path, inputs: file.inputs.map(({ name }) => [...feeds[name]]) });
    return Float32Array.from(JSON.parse((await answers.next()).value));
  },
}));
await selfTest(manifest, painter, (check) => say({ check }));
process.exit(0);
