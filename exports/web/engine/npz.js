// NumPy's .npz files: a zip of .npy files. Nothing in the file is trusted: every place is checked.

import { EngineError } from './errors.js';

const END = 0x06054b50, ENTRY = 0x02014b50, LOCAL = 0x04034b50;
/** Largest array that is unpacked, in bytes. */
const MOST = 2 ** 28;
const KINDS = { '<f4': Float32Array, '<i4': Int32Array };

/**
 * Reads every array of a file.
 * @param {Uint8Array} file
 * @returns {Promise<Object<string, {data: Float32Array | Int32Array, shape: number[]}>>} by name
 */
export async function readNpz(file) {
  const arrays = {};
  for (const entry of entries(file)) {
    if (!entry.name.endsWith('.npy')) throw damaged(`it holds ${entry.name}`);
    arrays[entry.name.slice(0, -4)] = readNpy(await unpack(file, entry));
  }
  return arrays;
}

function damaged(why) {
  return new EngineError('schema', `The golden cases are damaged: ${why}. Reload the page, or build `
    + 'the app again with kgen app.');
}

/** A view of part of the file, refused where it does not lie inside. */
function view(file, start, length) {
  if (!(start >= 0 && length >= 0 && start + length <= file.length)) throw damaged('it is cut off');
  return new DataView(file.buffer, file.byteOffset + start, length);
}

/** Lists the files in a zip, by the directory at its end. */
function entries(file) {
  const least = Math.max(0, file.length - 22 - 0xffff);
  let end = file.length - 22;
  while (end >= least && view(file, end, 22).getUint32(0, true) !== END) end--;
  if (end < least) throw damaged('it is no zip file');
  const tail = view(file, end, 22);
  const found = [];
  let at = tail.getUint32(16, true);
  for (let i = tail.getUint16(10, true); i > 0; i--) {
    const head = view(file, at, 46);
    if (head.getUint32(0, true) !== ENTRY) throw damaged('its directory is broken');
    const nameLength = head.getUint16(28, true);
    const text = view(file, at + 46, nameLength);
    found.push({
      name: new TextDecoder().decode(text),
      method: head.getUint16(10, true),
      packed: head.getUint32(20, true),
      size: head.getUint32(24, true),
      at: head.getUint32(42, true),
    });
    at += 46 + nameLength + head.getUint16(30, true) + head.getUint16(32, true);
  }
  return found;
}

/** The content of one file of a zip. */
async function unpack(file, { name, method, packed, size, at }) {
  if (size > MOST) throw damaged(`${name} has ${size} bytes`);
  const head = view(file, at, 30);
  if (head.getUint32(0, true) !== LOCAL) throw damaged(`${name} is not where it should be`);
  const start = at + 30 + head.getUint16(26, true) + head.getUint16(28, true);
  const { buffer, byteOffset, byteLength } = view(file, start, packed);
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  if (method === 0 && packed === size) return bytes;
  if (method !== 8) throw damaged(`${name} is packed by method ${method}`);
  return inflate(bytes, size, name);
}

/** Unpacks, and stops as soon as there is more than was announced. */
async function inflate(bytes, size, name) {
  const made = new Uint8Array(size);
  let length = 0;
  try {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
    const reader = stream.getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      if (length + next.value.length > size) throw new RangeError('more than was announced');
      made.set(next.value, length);
      length += next.value.length;
    }
  } catch (error) {
    throw damaged(`${name} cannot be unpacked (${error.message})`);
  }
  if (length !== size) throw damaged(`${name} is cut off`);
  return made;
}

/**
 * Reads one .npy file of float32 or int32 numbers in C order.
 * @param {Uint8Array} file
 */
export function readNpy(file) {
  const magic = view(file, 0, 8);
  if (magic.getUint32(0) !== 0x934e554d || magic.getUint16(4) !== 0x5059) {
    throw damaged('an array has no NumPy header');
  }
  const wide = magic.getUint8(6) >= 2;
  const start = wide ? 12 : 10;
  const length = wide ? view(file, 8, 4).getUint32(0, true) : view(file, 8, 2).getUint16(0, true);
  const header = new TextDecoder('latin1').decode(view(file, start, length));
  const [, kind] = /'descr': *'([^']*)'/.exec(header) ?? [];
  const [, inside] = /'shape': *\(([^)]*)\)/.exec(header) ?? [];
  if (!Object.hasOwn(KINDS, kind) || inside === undefined
    || !/'fortran_order': *False/.test(header)) {
    throw damaged(`an array is ${header.trim().slice(0, 80)}`);
  }
  const shape = inside.split(',').filter((n) => n.trim()).map(Number);
  const count = shape.reduce((product, n) => product * n, 1);
  if (!Number.isSafeInteger(count)) throw damaged('an array has no size');
  const { buffer, byteOffset, byteLength } = view(file, start + length, count * 4);
  // A copy: numbers of four bytes must begin at a multiple of four.
  return { data: new KINDS[kind](buffer.slice(byteOffset, byteOffset + byteLength)), shape };
}
