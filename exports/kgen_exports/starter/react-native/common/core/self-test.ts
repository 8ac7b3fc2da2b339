import type { Manifest } from './manifest.ts';
import type { Step } from './network.ts';
import type { Painter } from './painter.ts';

/** What this device's pictures are: their error, and whether they are the model's. */
export interface Check {
  title: string;
  maxAbs: number;
  psnr: number;
  limit: string;
  passed: boolean;
}

/**
 * Draw the golden pictures on this device and compare them with Keras's.
 *
 * Every way to draw of which Keras's pictures are known is checked, by the same gates as at the
 * export: the largest error of a float32 file, the PSNR of the others. `onStep` may throw, which
 * ends the test.
 */
export async function selfTest(
  manifest: Manifest,
  painter: Painter,
  onCheck: (check: Check) => void,
  onStep?: (step: Step) => void,
): Promise<void> {
  const { seed, labels, pictures } = manifest.golden;
  for (const way of painter.ways.filter(({ proven }) => proven)) {
    const errors: number[] = [];
    for (const [index, expected] of pictures.entries()) {
      const label = labels?.[index] ?? 0;
      const drawn = await painter.draw(way, seed, { index, label, onStep });
      for (const [place, value] of expected.entries()) errors.push((drawn[place] ?? NaN) - value);
    }
    onCheck(judge(`${way.title} (${way.file.path})`, errors, way.file.precision, manifest));
  }
}

function judge(title: string, errors: number[], precision: string, manifest: Manifest): Check {
  const range = manifest.image.high - manifest.image.low;
  // Both are NaN where one error is: then nothing passes.
  const maxAbs = errors.reduce((most, error) => Math.max(most, Math.abs(error)), 0);
  const rmse = Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length);
  const psnr = 20 * Math.log10(range / Math.max(rmse, range * 1e-10));
  const least = manifest.gates.leastDb[precision];
  if (least !== undefined) {
    return { title, maxAbs, psnr, limit: `at least ${least} dB`, passed: psnr >= least };
  }
  const allowed = manifest.gates.fp32Share * range;
  const limit = `largest error at most ${allowed}`;
  return { title, maxAbs, psnr, limit, passed: maxAbs <= allowed };
}
