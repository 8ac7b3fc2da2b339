// Where the site's files are: beside this module, or in a table of addresses.
//
// A site fetches by relative addresses. The page that is one single file has no files to fetch: its
// loader leaves a table on `globalThis.KGEN_FILES`, from a file's path to an address in memory.

import { EngineError } from './errors.js';

/**
 * The address of a file of the site.
 * @param {string} path from the site's root, as 'models/gan/kgen.json'
 * @returns {string}
 */
export function url(path) {
  const table = globalThis.KGEN_FILES;
  if (!table) return new URL(`../${path}`, import.meta.url).href;
  if (!Object.hasOwn(table, path)) throw absent(path);
  return table[path];
}

/**
 * The content of a file.
 * @param {string} path
 * @returns {Promise<Uint8Array>}
 */
export async function bytes(path) {
  const address = url(path);
  let response;
  try {
    response = await fetch(address);
  } catch {
    throw unreachable(path);
  }
  if (response.status === 404 || response.status === 410) throw absent(path);
  if (!response.ok) throw unreachable(path, `status ${response.status}`);
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch {
    throw unreachable(path);
  }
}

/**
 * The content of a JSON file.
 * @param {string} path
 * @returns {Promise<any>}
 */
export async function json(path) {
  const text = new TextDecoder().decode(await bytes(path));
  try {
    return JSON.parse(text);
  } catch {
    throw new EngineError('schema', `${path} is not JSON, so it is damaged. `
      + 'Reload the page, or build the app again with kgen app.');
  }
}

/**
 * Throws why something failed that fetches a file by itself: that the file cannot be had, if so.
 * @param {string} path
 * @param {unknown} error what was thrown
 */
export async function because(path, error) {
  await bytes(path);
  throw error;
}

function absent(path) {
  return new EngineError('missing', `${path} is missing from this app. `
    + 'Build it again with kgen app, and copy the whole folder.');
}

function unreachable(path, why = 'no connection') {
  return new EngineError('network', `${path} could not be loaded (${why}). `
    + 'Check the connection and try again; once everything was loaded, the app works offline.');
}
