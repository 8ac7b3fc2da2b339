// What this browser can do.

// An empty function that holds one SIMD instruction, which both runtimes need.
const SIMD = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10,
  1, 8, 0, 65, 0, 253, 15, 253, 98, 11);
const NAMES = ['onnxruntime', 'litert', 'javascript'];

/**
 * @typedef {object} Capabilities
 * @property {boolean} wasm whether there is WebAssembly that the runtimes can use
 * @property {boolean} isolated whether threads may share memory
 * @property {number} cores of the processor, as the browser tells
 * @property {boolean} secure whether hashes of files can be checked
 * @property {Object<string, {usable: boolean, why: string}>} runtimes by name
 */

/**
 * Looks at the browser.
 * @param {object} app app.json
 * @returns {Promise<Capabilities>}
 */
export async function capabilities(app) {
  const why = await faultOfWasm();
  const runtimes = {};
  for (const name of NAMES) {
    const absent = app.runtimes.includes(name) ? '' : 'This app was built without it.';
    runtimes[name] = { usable: false, why: absent || (name === 'javascript' ? '' : why) };
    runtimes[name].usable = runtimes[name].why === '';
  }
  return {
    wasm: why === '',
    isolated: globalThis.crossOriginIsolated === true,
    cores: globalThis.navigator?.hardwareConcurrency ?? 1,
    secure: Boolean(globalThis.crypto?.subtle),
    runtimes,
  };
}

/** Says why WebAssembly cannot be used; '' where it can. */
async function faultOfWasm() {
  if (typeof WebAssembly !== 'object') return 'This browser has no WebAssembly, or it is off.';
  try {
    await WebAssembly.compile(SIMD);
    return '';
  } catch (error) {
    return error instanceof WebAssembly.CompileError && !/policy/i.test(error.message)
      ? 'The WebAssembly of this browser is too old: it has no SIMD.'
      : 'This browser refuses to run WebAssembly here.';
  }
}
