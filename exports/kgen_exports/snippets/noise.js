// Noise for kgen's models, as docs/noise.md of kgen specifies it. An ES module without
// dependencies, for browsers and Node.js. Run on Node.js in kgen's tests.

const TWO_32 = 2 ** 32;

/** High 32 bits of the product of two 32-bit words, which a Number cannot hold: by 16-bit halves. */
function high(a, b) {
  const a0 = a & 0xffff, a1 = a >>> 16, b0 = b & 0xffff, b1 = b >>> 16;
  const m = a1 * b0 + ((a0 * b0) >>> 16);
  const n = a0 * b1 + (m & 0xffff);
  return a1 * b1 + (m >>> 16) + (n >>> 16);
}

/** The four random words of a block, Uint32Array(4): Philox4x32-10. Numbers from 0 to 2**53 - 1. */
export function words(seed, block, stream = 0) {
  for (const [name, value] of Object.entries({ seed, block, stream })) {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`${name} takes 0 to 2**53 - 1. Received: ${name}=${value}.`);
    }
  }
  let k0 = seed >>> 0, k1 = Math.floor(seed / TWO_32);
  let c0 = block >>> 0, c1 = Math.floor(block / TWO_32);
  let c2 = stream >>> 0, c3 = Math.floor(stream / TWO_32);
  for (let round = 0; round < 10; round++) {
    const high0 = high(0xd2511f53, c0), low0 = Math.imul(0xd2511f53, c0);
    const high1 = high(0xcd9e8d57, c2), low1 = Math.imul(0xcd9e8d57, c2);
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0 >>> 0;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return Uint32Array.of(c0, c1, c2, c3);
}

/** `count` standard normals, Float32Array, from element `start` of the stream on. */
export function normal(seed, count, stream = 0, start = 0) {
  const noise = new Float32Array(count);
  let four = [];
  for (let i = 0; i < count; i++) {
    const lane = (start + i) % 4;
    if (i === 0 || lane === 0) four = block4(seed, Math.floor((start + i) / 4), stream);
    noise[i] = four[lane];
  }
  return noise;
}

/** The four normals of a block: Box-Muller, in float64. */
function block4(seed, block, stream) {
  const u = Array.from(words(seed, block, stream), (word) => (word + 0.5) / TWO_32);
  return [0, 2].flatMap((i) => {
    const radius = Math.sqrt(-2 * Math.log(u[i])), angle = 2 * Math.PI * u[i + 1];
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
}
