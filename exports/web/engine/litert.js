// LiteRT.js: .tflite files, on WebAssembly.

import { because, bytes, url } from './assets.js';

const FOLDER = 'vendor/litert/';
let loading;

/** Starts the runtime, once. */
export function start() {
  loading ??= load().catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function load() {
  const index = `${FOLDER}index.js`, loader = `${FOLDER}litert_wasm_compat_internal.js`;
  const litert = await import(url(index)).catch((error) => because(index, error));
  const module = await WebAssembly.compile(await bytes(`${FOLDER}litert_wasm_compat_internal.wasm`));
  const failed = new Promise((_, reject) => {
    // Its loader takes its settings from here. What it prints is news to its developers only.
    self.Module = {
      print: () => {},
      printErr: () => {},
      instantiateWasm(imports, done) {
        WebAssembly.instantiate(module, imports).then((instance) => done(instance, module), reject);
      },
    };
  });
  // It would ask for a GPU, and say in the console that there is none. This app computes on CPUs.
  Object.defineProperty(navigator, 'gpu', { value: undefined, configurable: true });
  await quietly(async () => {
    // It wants an address that ends in .js, which an address in memory does not.
    const address = url(loader).endsWith('.js') ? url(loader) : `${url(loader)}#.js`;
    await Promise.race([litert.loadLiteRt(address), failed])
      .catch((error) => because(loader, error));
  });
  return litert;
}

/** Runs something without warnings: LiteRT's own one is that there is no GPU. */
async function quietly(action) {
  const { warn } = console;
  console.warn = () => {};
  try {
    await action();
  } finally {
    console.warn = warn;
  }
}

/**
 * Opens a model.
 * @param {Uint8Array} model
 */
export async function open(model) {
  const litert = await start();
  const compiled = await litert.loadAndCompile(model, { accelerator: 'wasm' });
  const names = (details) => details.map(({ name }) => name);
  const taken = names(compiled.getInputDetails());
  return {
    inputs: taken,
    outputs: names(compiled.getOutputDetails()),
    async run(feeds) {
      const inputs = {};
      let made = {};
      try {
        for (const name of taken) {
          inputs[name] = new litert.Tensor(feeds[name].data, feeds[name].dims);
        }
        made = await compiled.run(inputs);
        const outputs = {};
        for (const [name, tensor] of Object.entries(made)) {
          outputs[name] = { data: tensor.toTypedArray(), dims: [...tensor.type.layout.dimensions] };
        }
        return outputs;
      } finally {
        // Tensors lie in the memory of WebAssembly, which nobody cleans up.
        for (const tensor of [...Object.values(inputs), ...Object.values(made)]) tensor.delete();
      }
    },
    close: () => compiled.delete(),
  };
}
