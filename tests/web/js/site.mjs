// Where the tests find the site that was built for them, and the cases that Python wrote.

import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

export const cases = JSON.parse(readFileSync(process.env.KGEN_CASES, 'utf8'));

/** Imports a module of the engine. */
export function engine(name) {
  return import(pathToFileURL(`${process.env.KGEN_SITE}/engine/${name}`));
}
