// How long a picture takes on this device.

import { started } from './network.js';

/**
 * @typedef {object} Measured
 * @property {string} model
 * @property {string} runtime
 * @property {string} precision
 * @property {number} threads
 * @property {number} loadMs from asking for the file to the network being ready, the runtime's own
 *   start included
 * @property {number} firstMs of the first picture after that
 * @property {number} medianMs of a picture, over the runs
 * @property {number} runs
 * @property {string} file
 * @property {number} bytes of the file
 * @property {string} userAgent
 * @property {string} kgen version that built the app
 */

/**
 * Measures a model. Its network is opened anew; the runtime itself can be started once only, so the
 * time that it took then is added.
 * @param {object} job of the worker
 * @param {import('./model.js').Model} model
 * @param {string} kgen version
 * @param {number} runs
 * @returns {Promise<Measured>}
 */
export async function bench(job, model, kgen, runs) {
  const quiet = { pause: job.pause, emit: () => {} };
  const timed = async (action) => {
    const begun = performance.now();
    await action();
    return performance.now() - begun;
  };
  await model.close();
  const loadMs = started[model.runtime] + await timed(() => model.network(model.drawing));
  const firstMs = await timed(() => model.draw(quiet, 0));
  const times = [];
  for (let i = 0; i < runs; i++) {
    await job.pause();
    times.push(await timed(() => model.draw(quiet, i + 1)));
    job.emit('onRun', i + 1, runs, times[i]);
  }
  times.sort((a, b) => a - b);
  const middle = times.length >> 1;
  const medianMs = times.length % 2 ? times[middle] : (times[middle - 1] + times[middle]) / 2;
  const { file, bytes } = await model.network(model.drawing);
  return {
    model: model.shipped.name, runtime: model.runtime, precision: model.precision,
    threads: model.runtime === 'onnxruntime' ? model.threads : 1,
    loadMs, firstMs, medianMs, runs, file: file.path, bytes, kgen,
    userAgent: navigator.userAgent,
  };
}
