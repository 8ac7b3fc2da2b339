// Runs plans in the JavaScript engine: node run_plans.mjs ENGINE CASES.json
//
// Each case names a folder with PART.plain.json and .bin and files of float32 inputs; outputs are
// written beside them.

import { readFileSync, writeFileSync } from 'node:fs';

const { open } = await import(`${process.argv[2]}/plain.js`);
for (const { folder, part } of JSON.parse(readFileSync(process.argv[3], 'utf8'))) {
  const bytes = (name) => new Uint8Array(readFileSync(`${folder}/${name}`));
  const plan = JSON.parse(readFileSync(`${folder}/${part}.plain.json`, 'utf8'));
  const network = open(plan, bytes(`${part}.plain.bin`));
  const feeds = Object.fromEntries(network.inputs.map((name) =>
    [name, { data: new Float32Array(bytes(`in-${name}.f4`).buffer) }]));
  // Twice: what the first picture leaves behind must not be seen in the second.
  await network.run(feeds);
  const made = await network.run(feeds);
  for (const [name, { data }] of Object.entries(made)) {
    writeFileSync(`${folder}/out-${name}.f4`, new Uint8Array(data.buffer));
  }
}
