// Which runtime opens a model, in which precision: what is shipped, works here, and is wished.

import { kindName, refusal, runtimeName } from './words.js';

/** Precisions in which the site has what draws, for a runtime; app.json lists them. */
export function precisionsOf(entry, runtime) {
  return entry.precisions[runtime] ?? [];
}

/** Runtimes that work here and have files of a model, the best first. */
export function runtimesOf(app, entry, capabilities) {
  return app.runtimes.filter((runtime) => capabilities.runtimes[runtime]?.usable
    && precisionsOf(entry, runtime).length > 0);
}

/**
 * What to try, in order, to open a model.
 * @returns {{runtime: string, precision: string}[]} never empty
 * @throws {Error} for people: nothing here can open it
 */
export function attempts(app, entry, capabilities, settings) {
  const runtimes = runtimesOf(app, entry, capabilities);
  if (runtimes.length === 0) throw refusal(noneOpens(app, entry, capabilities));
  const wished = runtimes.filter((runtime) => runtime === settings.runtime);
  return [...wished, ...runtimes.filter((runtime) => !wished.includes(runtime))]
    .map((runtime) => ({ runtime, precision: precisionFor(entry, runtime, settings.precision) }));
}

/** The precision asked for where it is shipped, else fp16, else what there is. */
function precisionFor(entry, runtime, wish) {
  const shipped = precisionsOf(entry, runtime);
  return [wish, 'fp16', 'fp32'].find((precision) => shipped.includes(precision)) ?? shipped[0];
}

function noneOpens(app, entry, capabilities) {
  if (!capabilities.wasm) {
    return `“${entry.title}” needs WebAssembly, which this browser does not have or has switched `
      + 'off, and there is no plain JavaScript for it. Switch WebAssembly on, or use another '
      + 'browser. The other models of this app may still work.';
  }
  const reasons = app.runtimes.map((runtime) => {
    const { usable, why } = capabilities.runtimes[runtime] ?? {};
    return `${runtimeName(runtime)}: ${usable ? 'no file of this model' : why ?? 'not here'}`;
  });
  return `Nothing here can open “${entry.title}”. ${reasons.join('; ')}.`;
}

/** What people should know of how a model was opened; null if it is as they wished. */
export function remark(model, app, capabilities, settings, failed) {
  const name = runtimeName(model.runtime);
  if (!capabilities.wasm) {
    return 'This browser has no WebAssembly, or it is switched off: the pictures are drawn by '
      + 'plain JavaScript. They are the same, and take longer.';
  }
  if (failed) {
    return `${runtimeName(failed.runtime)} could not open this ${kindName(model.manifest.kind)}: `
      + `${failed.message} ${name} draws it instead.`;
  }
  if (settings.runtime !== 'auto' && settings.runtime !== model.runtime) {
    return `${runtimeName(settings.runtime)}, chosen in Settings, has no file of this model or `
      + `does not work here: ${name} draws it instead.`;
  }
  return null;
}
