// ONNX Runtime Web: .onnx files, on WebAssembly.

import { because, url } from './assets.js';

const FOLDER = 'vendor/onnxruntime/';
const WASM = `${FOLDER}ort-wasm-simd-threaded.wasm`;
// The smallest model there is, y = x: ONNX Runtime starts when it opens its first one.
const SMALLEST = Uint8Array.of(8, 8, 58, 55, 10, 16, 10, 1, 120, 18, 1, 121, 34, 8, 73, 100, 101,
  110, 116, 105, 116, 121, 18, 1, 103, 90, 15, 10, 1, 120, 18, 10, 10, 8, 8, 1, 18, 4, 10, 2, 8, 1,
  98, 15, 10, 1, 121, 18, 10, 10, 8, 8, 1, 18, 4, 10, 2, 8, 1, 66, 4, 10, 0, 16, 17);
let loading;

/**
 * Starts the runtime, once.
 * @param {number} threads
 */
export function start(threads) {
  loading ??= load(threads).catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function load(threads) {
  const script = `${FOLDER}ort.wasm.bundle.min.mjs`;
  const ort = await import(url(script)).catch((error) => because(script, error));
  // One address: with a folder it would fetch a second script.
  ort.env.wasm.wasmPaths = { wasm: url(WASM) };
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = 'error';
  const smallest = await ort.InferenceSession.create(SMALLEST, { executionProviders: ['wasm'] })
    .catch((error) => because(WASM, error));
  await smallest.release();
  return ort;
}

/**
 * Opens a model.
 * @param {Uint8Array} model
 * @param {number} threads
 */
export async function open(model, threads) {
  const ort = await start(threads);
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ['wasm'], graphOptimizationLevel: 'all',
    // Errors only: it warns of constants that its own optimisation has left over.
    logSeverityLevel: 3,
  });
  return {
    inputs: [...session.inputNames],
    outputs: [...session.outputNames],
    async run(feeds) {
      const tensors = {};
      for (const name of session.inputNames) {
        const { data, dims } = feeds[name];
        tensors[name] = new ort.Tensor(data instanceof Int32Array ? 'int32' : 'float32', data, dims);
      }
      const made = await session.run(tensors);
      const outputs = {};
      for (const name of session.outputNames) {
        outputs[name] = { data: made[name].data, dims: [...made[name].dims] };
        made[name].dispose();
      }
      for (const tensor of Object.values(tensors)) tensor.dispose();
      return outputs;
    },
    close: () => session.release(),
  };
}
