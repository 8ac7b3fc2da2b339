import type { ImageSpec } from './manifest.ts';

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const GREY = 0;
const RGB = 2;
/** Most bytes in a stored block of deflate. */
const BLOCK = 0xffff;

/** A picture's values as a data: URI of a PNG, which is what React Native shows without a module. */
export function pngUri(picture: Float32Array, image: ImageSpec): string {
  const bytes = png(picture, image);
  let text = '';
  // A piece at a time: a call takes only so many arguments.
  for (let start = 0; start < bytes.length; start += 4096) {
    text += String.fromCharCode(...bytes.subarray(start, start + 4096));
  }
  return `data:image/png;base64,${btoa(text)}`;
}

/** A picture's values as a PNG, stored and not compressed: it is small, and it is shown at once. */
export function png(picture: Float32Array, image: ImageSpec): Uint8Array {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, image.width);
  view.setUint32(4, image.height);
  header.set([8, image.channels === 1 ? GREY : RGB], 8);
  return joined([
    Uint8Array.from(SIGNATURE),
    chunk('IHDR', header),
    chunk('IDAT', zlib(rows(picture, image))),
    chunk('IEND', new Uint8Array()),
  ]);
}

/** The rows, each with a byte before it that says: not filtered. */
function rows(picture: Float32Array, { height, width, channels, low, high }: ImageSpec): Uint8Array {
  const length = width * channels;
  const bytes = new Uint8Array(height * (length + 1));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < length; x++) {
      const value = ((picture[y * length + x] ?? NaN) - low) * (255 / (high - low));
      bytes[y * (length + 1) + 1 + x] = Math.min(Math.max(Math.round(value), 0), 255);
    }
  }
  return bytes;
}

/** The zlib format around stored blocks: RFC 1950 and 1951. */
function zlib(bytes: Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = [Uint8Array.of(0x78, 0x01)];
  for (let start = 0; start < bytes.length; start += BLOCK) {
    const piece = bytes.subarray(start, start + BLOCK);
    const last = start + BLOCK >= bytes.length ? 1 : 0;
    const n = piece.length;
    pieces.push(Uint8Array.of(last, n & 255, n >> 8, ~n & 255, (~n >> 8) & 255), piece);
  }
  let a = 1;
  let b = 0;
  for (const byte of bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return joined([...pieces, word(b * 65536 + a)]);
}

/** A piece of a PNG: length, name, content, checksum. */
function chunk(name: string, content: Uint8Array): Uint8Array {
  const named = joined([Uint8Array.from(name, (letter) => letter.charCodeAt(0)), content]);
  return joined([word(content.length), named, word(crc32(named))]);
}

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** 32 bits, the highest first. */
function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function joined(pieces: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let start = 0;
  for (const piece of pieces) {
    whole.set(piece, start);
    start += piece.length;
  }
  return whole;
}
