// Numbers and failures in words.

/** An error whose message is meant for people as it is. */
export function refusal(message) {
  return Object.assign(new Error(message), { name: 'Refusal', forPeople: true });
}

/** What to tell people of an error; null for what they did themselves. */
export function tell(error) {
  if (error?.code === 'aborted' || error?.name === 'AbortError') return null;
  if (error?.forPeople || error?.code) return error.message;
  return `Something went wrong that this page did not foresee: ${error?.message ?? error}. `
    + 'Load it again; if that does not help, try another runtime in Settings.';
}

/** A size for people: 14.2 MB. */
export function size(bytes) {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  if (bytes < 1e9) return `${(bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)} MB`;
  return `${(bytes / 1e9).toFixed(1)} GB`;
}

/** A time for people: 1.7 ms, 240 ms, 3.2 s. */
export function time(ms) {
  if (ms < 100) return `${ms.toFixed(1)} ms`;
  return ms < 10000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** '1 picture', '3 pictures'. */
export function many(count, one, several = `${one}s`) {
  return `${count} ${count === 1 ? one : several}`;
}

const RUNTIMES = {
  onnxruntime: 'ONNX Runtime', litert: 'LiteRT', javascript: 'plain JavaScript',
};

/** With a capital first letter. */
export function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}

/** A runtime's name as its makers write it. */
export function runtimeName(runtime) {
  return RUNTIMES[runtime] ?? runtime;
}

const KINDS = {
  gan: 'GAN', ae: 'autoencoder', vae: 'VAE', ddpm: 'diffusion model',
};

/** What a kind of model is called. */
export function kindName(kind) {
  return KINDS[kind] ?? kind;
}
