/** Numbers of one picture, by the names of a file's inputs. */
export type Feeds = Record<string, Float32Array | Int32Array>;

/** An opened model file: inputs in, its output out. */
export interface Network {
  run(feeds: Feeds): Promise<Float32Array>;
}

/** How far a picture is: `done` of `total` calls, and its values so far. */
export interface Step {
  done: number;
  total: number;
  picture: Float32Array;
}

/** What to draw; `onStep` may throw, which ends the drawing. */
export interface DrawOptions {
  /** Which picture of the seed, from 0 on. */
  index?: number;
  /** Number of the class, where the model takes one. */
  label?: number;
  onStep?: (step: Step) => void;
}
