/** What kgen.json (docs/manifest.md of kgen) and starter.json say, as far as an app needs it. */

const SCHEMA = 'kgen-bundle-1';

interface Spec {
  name: string;
  /** null for the batch, then sizes. */
  shape: (number | null)[];
}

interface Part {
  inputs: Spec[];
  outputs: Spec[];
  files: { path: string; precision: string }[];
}

/** A diffusion sampler's table: see sampler-table.ts. */
export interface SamplerColumns {
  name: string;
  prediction: string;
  timesteps: number[];
  x0_from_xt: number[];
  x0_from_prediction: number[];
  coef_x0: number[];
  coef_xt: number[];
  coef_last: number[];
  sigma: number[];
  alpha_bars: number[];
}

/** The file kgen.json. */
export interface KgenJson {
  schema: string;
  image: { height: number; width: number; channels: number; range: number[] };
  latent_dim: number | null;
  labels: string[] | null;
  sampler: SamplerColumns | null;
  parts: Record<string, Part>;
}

/** The file starter.json: which files of kgen.json are here, and what to compare pictures with. */
export interface StarterJson {
  files: Record<string, string>;
  golden: Golden;
  gates: { fp32_share: number; least_db: Record<string, number> };
}

/** Pictures that the model drew in Keras; their classes where it has any. */
export interface Golden {
  seed: number;
  labels: number[] | null;
  pictures: number[][];
}

/** A picture: rows from the top, pixels from the left, 1 (grey) or 3 (rgb) values in [low, high]. */
export interface ImageSpec {
  height: number;
  width: number;
  channels: number;
  low: number;
  high: number;
  /** Numbers in a picture. */
  size: number;
}

/** A model file, which takes one picture a call; its inputs in the file's order, by their sizes. */
export interface ModelFile {
  part: string;
  path: string;
  precision: string;
  inputs: { name: string; size: number }[];
}

/** The model of this app. */
export interface Manifest {
  image: ImageSpec;
  /** Length of z; 0 where the model takes none. */
  latentDim: number;
  /** Names of the classes, by number; empty where the model takes none. */
  labels: string[];
  sampler: SamplerColumns | null;
  /** By the name of the model's part. */
  files: Map<string, ModelFile>;
  golden: Golden;
  gates: { fp32Share: number; leastDb: Record<string, number> };
}

/** Read both files. To ship another model of the same kind, change them, models.ts and assets. */
export function readManifest(kgen: KgenJson, starter: StarterJson): Manifest {
  if (kgen.schema !== SCHEMA) {
    throw new Error(`This app reads ${SCHEMA}. Received: schema=${kgen.schema}.`);
  }
  const { height, width, channels, range } = kgen.image;
  const [low = 0, high = 1] = range;
  const files = Object.entries(starter.files).map(
    ([part, path]): [string, ModelFile] => [part, modelFile(kgen, part, path)],
  );
  return {
    image: { height, width, channels, low, high, size: height * width * channels },
    latentDim: kgen.latent_dim ?? 0,
    labels: kgen.labels ?? [],
    sampler: kgen.sampler,
    files: new Map(files),
    golden: starter.golden,
    gates: { fp32Share: starter.gates.fp32_share, leastDb: starter.gates.least_db },
  };
}

function modelFile(kgen: KgenJson, part: string, path: string): ModelFile {
  const described = kgen.parts[part];
  const entry = described?.files.find((file) => file.path === path);
  if (!described || !entry) throw new Error(`kgen.json has no file ${path} of its ${part}.`);
  const inputs = described.inputs.map(({ name, shape }) => ({
    name,
    size: shape.reduce<number>((product, n) => product * (n ?? 1), 1),
  }));
  return { part, path, precision: entry.precision, inputs };
}

/** Whether a file has an input of this name. */
export function takes(file: ModelFile, name: string): boolean {
  return file.inputs.some((input) => input.name === name);
}
