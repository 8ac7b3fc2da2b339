// Tables of steps, and steps, against Python's SamplerTable and walk.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { cases, engine } from './site.mjs';

const { respaced, step, stepNoise, stepsOf, walk } = await engine('sampler.js');
const COLUMNS = ['x0_from_xt', 'x0_from_prediction', 'coef_x0', 'coef_xt', 'coef_last', 'sigma'];

test('respaced tables are Python\'s', () => {
  assert.ok(cases.sampler.respaced.length >= 20);
  for (const { table, numSteps, eta, expected } of cases.sampler.respaced) {
    const found = respaced(table, numSteps, eta);
    assert.deepEqual(found.timesteps, expected.timesteps);
    for (const column of COLUMNS) {
      expected[column].forEach((value, i) => {
        // Both round float64 numbers to float32, and libraries differ in the last bit of a root or
        // a logarithm: neighbouring float32 numbers are 2^-23 apart, relatively. Differences that
        // cancel keep the error of what was subtracted, which is 1 at most; looking ahead takes
        // less than 3 times of it, for no step of this chain is 4 times as long as the one before.
        const allowed = 2 ** -23 * Math.abs(value) + 3e-15;
        assert.ok(Math.abs(found[column][i] - value) <= allowed, `${column}[${i}] of ${numSteps}`);
      });
    }
  }
});

test('only dpmpp looks ahead, and not in the first step, nor in the last', () => {
  const { table } = cases.sampler.respaced[0];
  for (const name of ['ddim', 'ddpm']) {
    assert.deepEqual(respaced({ ...table, name }, 5, 0).coef_last, [0, 0, 0, 0, 0]); // no -0
  }
  const [first, ...others] = respaced({ ...table, name: 'dpmpp' }, 5, 0).coef_last;
  assert.deepEqual([first, others.pop()], [0, 0]);
  assert.ok(others.every((weight) => weight < 0));
});

test('the manifest\'s own table is used where nothing else is asked for', () => {
  const { table } = cases.sampler.respaced[0];
  assert.equal(stepsOf(table), table);
  assert.equal(stepsOf(table, 3).timesteps.length, 3);
  assert.equal(stepsOf(table, undefined, 1).timesteps.length, table.num_steps);
});

test('steps and eta out of range are refused in words', () => {
  const { table } = cases.sampler.respaced[0];
  for (const steps of [0, -1, 1.5, NaN, table.num_timesteps + 1, '3']) {
    assert.throws(() => respaced(table, steps, 0), { code: 'input', message: /number of steps/ });
  }
  for (const eta of [-0.1, 1.1, NaN]) {
    assert.throws(() => respaced(table, 2, eta), { code: 'input', message: /eta is from 0/ });
  }
});

test('a walk is Python\'s, to the last bit', () => {
  for (const { table, noise, predictions, zs, xts } of cases.sampler.walks) {
    const xt = Float32Array.from(noise), x0Last = new Float32Array(xt.length);
    table.timesteps.forEach((_, i) => {
      step(table, i, xt, x0Last, Float32Array.from(predictions[i]),
        zs[i] && Float32Array.from(zs[i]));
      assert.deepEqual(xt, Float32Array.from(xts[i]));
    });
  }
});

test('a walk asks at each timestep, adds noise and what it saw before, and tells of each step', async () => {
  const table = { timesteps: [9, 4, 0], x0_from_xt: [0, 0, 0], x0_from_prediction: [1, 1, 1],
    coef_x0: [1, 1, 1], coef_xt: [0, 0, 0], coef_last: [0, 0.5, -0.5],
    sigma: [0.5, 0, 0.5] };
  const asked = [], streams = [], told = [];
  const xt = Float32Array.of(3);
  await walk(async (noisy, t) => { asked.push([noisy[0], t]); return Float32Array.of(t / 10); },
    xt, table, (stream) => { streams.push(stream); return Float32Array.of(1); },
    (taken, now) => told.push([taken, now[0]]));
  const f = Math.fround;
  const second = f(f(0.4) + 0.5 * f(0.9));
  assert.deepEqual(told, [[1, f(f(0.9) + 0.5)], [2, second], [3, f(0.5 - 0.5 * f(0.4))]]);
  assert.deepEqual(asked, [[3, 9], [f(f(0.9) + 0.5), 4], [second, 0]]);
  assert.deepEqual(streams, [1, 3]);
});

test('the noise of all steps lies picture by picture, step by step', () => {
  const noise = (stream) => Float32Array.of(10 * stream, 10 * stream + 1, 10 * stream + 2,
    10 * stream + 3);
  assert.deepEqual(stepNoise(noise, 2, 2), Float32Array.of(10, 11, 20, 21, 12, 13, 22, 23));
});
