// The JavaScript engine: small networks where there is no WebAssembly. A plan, made by kgen app,
// says which steps to take; the weights come as float32 and float16 numbers in one file.

import { EngineError } from './errors.js';
import { STEPS } from './kernels.js';

const SCHEMA = 'kgen-plain-1';

/**
 * Makes float32 numbers of float16 ones.
 * @param {Uint16Array} halves their bits
 * @returns {Float32Array}
 */
export function float32of(halves) {
  return Float32Array.from(halves, (bits) => {
    const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
}

/** Cuts the file of weights into arrays. */
function unpacked(layout, data) {
  // A copy where the file's bytes begin at an odd place of a larger buffer.
  const { buffer, byteOffset } = data.byteOffset % 4 ? data.slice() : data;
  return layout.map(([type, first, length]) => {
    const Kind = { f4: Float32Array, f2: Uint16Array }[type];
    if (!Kind || first + length * Kind.BYTES_PER_ELEMENT > data.length) {
      throw new EngineError('schema', 'The weights do not fit their plan. Build the app again.');
    }
    const numbers = new Kind(buffer, byteOffset + first, length);
    return type === 'f2' ? float32of(numbers) : numbers.slice();
  });
}

/** Refuses a plan that this engine cannot take. */
function check(plan) {
  if (plan?.schema !== SCHEMA) {
    throw new EngineError('schema', `A plan is of version ${JSON.stringify(plan?.schema)}; this `
      + `app reads ${JSON.stringify(SCHEMA)}. Build the app again with a newer kgen.`);
  }
  const odd = plan.steps.find(({ op }) => !Object.hasOwn(STEPS, op));
  if (odd) {
    throw new EngineError('schema', `A plan has the step ${JSON.stringify(odd.op)}, which this app `
      + 'does not know. Build the app again with a newer kgen.');
  }
}

/**
 * Makes a network of a plan and its weights.
 * @param {object} plan what kgen_exports.app.plain writes
 * @param {Uint8Array} data the weights
 * @returns {object} as other runtimes' `open`; takes one picture at a time
 */
export function open(plan, data) {
  check(plan);
  let weights = unpacked(plan.weights, data);
  let buffers = plan.sizes.map((size) => new Float32Array(size));
  const wide = plan.steps.map(({ op, size, kernel, made }) =>
    (op === 'conv' ? size[0] * kernel[0] * kernel[1] * made[2] : 0));
  let room = new Float32Array(Math.max(0, ...wide));
  return {
    inputs: Object.keys(plan.inputs),
    outputs: Object.keys(plan.outputs),
    async run(feeds) {
      for (const [name, index] of Object.entries(plan.inputs)) buffers[index].set(feeds[name].data);
      for (const step of plan.steps) STEPS[step.op](step, buffers, weights, room);
      return Object.fromEntries(Object.entries(plan.outputs).map(([name, index]) =>
        [name, { data: buffers[index].slice(), dims: [1, buffers[index].length] }]));
    },
    close() {
      weights = buffers = room = null;
    },
  };
}
