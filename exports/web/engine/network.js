// One part of a model, opened in one runtime: any number of rows in, as many out.

import { EngineError, explained } from './errors.js';
import { checkedBytes } from './manifest.js';
import * as litert from './litert.js';
import * as onnxruntime from './onnxruntime.js';
import * as plain from './plain.js';

const RUNTIMES = { onnxruntime, litert };
/** Milliseconds that each runtime took to start, by name; once in the life of the worker. */
export const started = { javascript: 0 };
/** Rows in a call of a file that takes any number: few, so that people can stop between calls. */
const CHUNK = 8;

/**
 * @typedef {object} Tensor
 * @property {Float32Array | Int32Array} data
 * @property {number[]} dims
 */

export class Network {
  /**
   * @param {object} session what a runtime's `open` returns
   * @param {object} part the manifest's: inputs and outputs
   * @param {object} file the manifest's
   * @param {string} path from the site's root, for messages
   * @param {number} bytes of the file
   */
  constructor(session, part, file, path, bytes) {
    this.session = session;
    this.part = part;
    this.file = file;
    this.path = path;
    this.bytes = bytes;
  }

  /**
   * Fetches a file, checks it and opens it.
   * @param {string} folder of the model
   * @param {object} part the manifest's
   * @param {object} file the manifest's entry
   * @param {string} runtime
   * @param {number} threads
   * @returns {Promise<Network>}
   */
  static async open(folder, part, file, runtime, threads) {
    const path = `${folder}${file.path}`;
    let session, bytes;
    try {
      if (file.plain) {
        [session, bytes] = await openPlain(folder, file.plain);
      } else {
        await startOnce(runtime, threads);
        const model = await checkedBytes(path, file.sha256);
        bytes = model.length;
        session = await RUNTIMES[runtime].open(model, threads);
      }
    } catch (error) {
      throw explained(error, `Opening ${path}`);
    }
    const names = (specs) => specs.map(({ name }) => name).sort().join(', ');
    const [inputs, outputs] = [session.inputs, session.outputs].map((n) => [...n].sort().join(', '));
    if (inputs !== names(part.inputs) || outputs !== names(part.outputs)) {
      session.close();
      throw new EngineError('schema', `${path} takes ${inputs} and gives ${outputs}; its manifest `
        + `says ${names(part.inputs)} and ${names(part.outputs)}. Export the model again.`);
    }
    return new Network(session, part, file, path, bytes);
  }

  /**
   * Runs on rows, in pieces of the size that the file takes.
   * @param {Object<string, Float32Array | Int32Array>} feeds by name; as many rows in each
   * @param {number} count rows
   * @param {{pause?: () => Promise<void>, onPiece?: (first: number, made: object) => void}} [hooks]
   *   `pause` is awaited before each call and may throw; `onPiece` gets each piece's outputs
   * @returns {Promise<Object<string, Float32Array>>} by name
   */
  async run(feeds, count, { pause = async () => {}, onPiece = () => {} } = {}) {
    const size = this.file.batch ?? Math.min(count, CHUNK);
    const made = {};
    for (let first = 0; first < count; first += size) {
      await pause();
      const rows = Math.min(size, count - first);
      // A file for any batch takes a short last piece; others get it filled up with its last row.
      const piece = await this.#call(feeds, count, first, rows, this.file.batch ?? rows);
      onPiece(first, piece);
      for (const [name, data] of Object.entries(piece)) {
        made[name] ??= new Float32Array((data.length / rows) * count);
        made[name].set(data, (data.length / rows) * first);
      }
    }
    return made;
  }

  async #call(feeds, count, first, rows, size) {
    const tensors = {};
    for (const { name, shape } of this.part.inputs) {
      const width = feeds[name].length / count;
      const data = new feeds[name].constructor(size * width);
      for (let row = 0; row < size; row++) {
        const from = (first + Math.min(row, rows - 1)) * width;
        data.set(feeds[name].subarray(from, from + width), row * width);
      }
      tensors[name] = { data, dims: [size, ...shape.slice(1)] };
    }
    let outputs;
    try {
      outputs = await this.session.run(tensors);
    } catch (error) {
      throw explained(error, `Running ${this.path}`);
    }
    return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) =>
      [name, data.slice(0, (data.length / size) * rows)]));
  }

  close() {
    this.session.close();
  }
}

/** Starts a runtime and notes how long it took. */
async function startOnce(runtime, threads) {
  const begun = performance.now();
  await RUNTIMES[runtime].start(threads);
  started[runtime] ??= performance.now() - begun;
}

/** Opens a part in the JavaScript engine; `plain` is its entry of app.json. */
async function openPlain(folder, { plan, weights, sha256 }) {
  const [text, data] = await Promise.all([plan, weights].map((name) =>
    checkedBytes(`${folder}${name}`, sha256[name])));
  const session = plain.open(JSON.parse(new TextDecoder().decode(text)), data);
  return [session, text.length + data.length];
}
