import { loadTensorflowModel } from 'react-native-fast-tflite';

import type { ModelFile } from './core/manifest.ts';
import type { Network } from './core/network.ts';
import { MODELS } from './models.ts';

/**
 * Open a model file in LiteRT, on the CPU.
 *
 * Inputs are fed by their place, which is that of kgen.json: a file with another order is refused.
 */
export async function openNetwork(file: ModelFile): Promise<Network> {
  const source = MODELS[file.part];
  if (source === undefined) throw new Error(`models.ts has no ${file.part}.`);
  const model = await loadTensorflowModel(source, []);
  const expected = file.inputs.map(({ name }) => name).join(', ');
  const found = model.inputs.map(({ name }) => name).join(', ');
  if (found !== expected) {
    throw new Error(`${file.path} takes ${expected} in kgen.json. Received: ${found}.`);
  }
  return {
    async run(feeds) {
      const inputs = file.inputs.map(({ name, size }) => {
        const values = feeds[name];
        if (values?.length !== size) {
          throw new Error(`${name} takes ${size} numbers. Received: ${values?.length ?? 'none'}.`);
        }
        return values.slice().buffer as ArrayBuffer;
      });
      const [output] = await model.run(inputs);
      if (!output) throw new Error(`${file.path} gave no output.`);
      // A copy: the next call may write into the same memory.
      return new Float32Array(output).slice();
    },
  };
}
