// The five steps of a plan, on flat arrays of float32 numbers. Sums are taken in float64.

/** Functions of one number. `alpha` is the slope of a leaky ReLU below zero. */
const MAPS = {
  relu: (v) => (v > 0 ? v : 0),
  leaky: (v, alpha) => (v >= 0 ? v : alpha * v),
  tanh: Math.tanh,
  sigmoid: (v) => 1 / (1 + Math.exp(-v)),
  exp: Math.exp,
};

/** Functions of two numbers. */
const PAIRS = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
};

/**
 * Products of rows of `x` with rows of `w`, four of them at a time so that numbers that were read
 * are used again: y[row * rowStep + out * outStep] = b[out] + sum of x[row, i] * w[out, i].
 */
function products(x, rows, w, b, ins, outs, y, at, rowStep, outStep) {
  for (let out = 0; out < outs; out += 4) {
    // The last group may be short: its last row is computed again.
    const o1 = Math.min(out + 1, outs - 1), o2 = Math.min(out + 2, outs - 1);
    const o3 = Math.min(out + 3, outs - 1);
    const w0 = out * ins, w1 = o1 * ins, w2 = o2 * ins, w3 = o3 * ins;
    for (let row = 0; row < rows; row++) {
      const from = row * ins;
      let s0 = b[out], s1 = b[o1], s2 = b[o2], s3 = b[o3];
      for (let i = 0; i < ins; i++) {
        const v = x[from + i];
        s0 += v * w[w0 + i];
        s1 += v * w[w1 + i];
        s2 += v * w[w2 + i];
        s3 += v * w[w3 + i];
      }
      const to = at + row * rowStep;
      y[to + out * outStep] = s0;
      y[to + o1 * outStep] = s1;
      y[to + o2 * outStep] = s2;
      y[to + o3 * outStep] = s3;
    }
  }
}

/** Collects for each pixel of a row of the result what the kernel sees there; zeros outside. */
function patches(x, step, row, into) {
  const [channels, height, width] = step.size, [rows, columns] = step.kernel;
  const [strideY, strideX] = step.strides, [spreadY, spreadX] = step.dilations;
  const [above, left] = step.pads, made = step.made[2];
  let at = 0;
  for (let pixel = 0; pixel < made; pixel++) {
    for (let channel = 0; channel < channels; channel++) {
      for (let r = 0; r < rows; r++) {
        const y = row * strideY - above + r * spreadY;
        const from = (channel * height + y) * width;
        for (let c = 0; c < columns; c++) {
          const column = pixel * strideX - left + c * spreadX;
          const inside = y >= 0 && y < height && column >= 0 && column < width;
          into[at++] = inside ? x[from + column] : 0;
        }
      }
    }
  }
}

/** How each step computes `y`: (step, buffers by index, weights by index, room to work in). */
export const STEPS = {
  dense({ x, y, w, b, ins, outs }, buffers, weights) {
    const rows = buffers[x].length / ins;
    products(buffers[x], rows, weights[w], weights[b], ins, outs, buffers[y], 0, outs, 1);
  },

  conv(step, buffers, weights, room) {
    const [outs, height, width] = step.made;
    const ins = step.size[0] * step.kernel[0] * step.kernel[1];
    const [x, y, w, b] = [buffers[step.x], buffers[step.y], weights[step.w], weights[step.b]];
    for (let row = 0; row < height; row++) {
      patches(x, step, row, room);
      products(room, width, w, b, ins, outs, y, row * width, 1, height * width);
    }
  },

  view({ x, y, dims, strides, offset }, buffers) {
    const from = buffers[x], to = buffers[y], last = dims.length - 1;
    const inner = dims[last], stride = strides[last];
    const index = new Array(last).fill(0);
    for (let at = 0, source = offset; at < to.length;) {
      for (let i = 0, s = source; i < inner; i++, s += stride) to[at++] = from[s];
      for (let axis = last - 1; axis >= 0; axis--) {
        source += strides[axis];
        if (++index[axis] < dims[axis]) break;
        source -= strides[axis] * dims[axis];
        index[axis] = 0;
      }
    }
  },

  map({ x, y, f, alpha }, buffers) {
    const from = buffers[x], to = buffers[y], of = MAPS[f];
    for (let i = 0; i < to.length; i++) to[i] = of(from[i], alpha);
  },

  pair({ x, y, z, w, f, inner, swapped }, buffers, weights) {
    const left = buffers[x], to = buffers[y], of = PAIRS[f];
    if (z !== undefined) {
      const right = buffers[z];
      for (let i = 0; i < to.length; i++) to[i] = of(left[i], right[i]);
      return;
    }
    const values = weights[w];
    for (let i = 0; i < to.length; i++) {
      const v = values[Math.floor(i / inner) % values.length];
      to[i] = swapped ? of(v, left[i]) : of(left[i], v);
    }
  },
};
