"""Which timesteps a training step of a diffusion model sees."""

import keras
import numpy as np
import pytest
from keras import ops

from kgen import models
from tests.core import tiny

pytestmark = pytest.mark.backend

SHAPE = (16, 16, 1)
LENGTH, BATCH = 20, 8


def draws(folder, times):
    """Draw t for `times` batches: int32 (times, BATCH)."""
    config = tiny.config("ddpm", folder, model__num_timesteps=LENGTH)
    model = models.build(config, SHAPE)
    seed = keras.random.SeedGenerator(1)
    return np.array([ops.convert_to_numpy(model.draw(BATCH, seed)["t"]) for _ in range(times)])


def test_every_batch_sees_all_amounts_of_noise_evenly(tmp_path):
    for t in draws(tmp_path, 20):
        assert t.dtype == np.int32
        # A grid of LENGTH / BATCH = 2.5 timesteps, moved round the circle of all of them: whole
        # timesteps are 2 or 3 apart.
        t = np.sort(t)
        gaps = np.diff(np.append(t, t[0] + LENGTH))
        assert t.min() >= 0
        assert t.max() < LENGTH
        assert set(gaps.tolist()) <= {2, 3}


def test_each_timestep_is_drawn_as_often_as_any_other(tmp_path):
    times = 400
    counts = np.bincount(draws(tmp_path, times).ravel(), minlength=LENGTH)
    # A batch holds a given timestep with probability BATCH / LENGTH = 0.4, at most once: a binomial
    # count of mean 160 and deviation sqrt(400 * 0.4 * 0.6) = 9.8; four of those.
    assert np.abs(counts - times * BATCH / LENGTH).max() < 40


def test_an_evaluation_draws_the_same_every_time(tmp_path):
    model = models.build(tiny.config("ddpm", tmp_path, model__num_timesteps=LENGTH), SHAPE)
    first, second = (model.draw(BATCH, 0) for _ in range(2))
    for name in ("t", "eps"):
        np.testing.assert_array_equal(*(ops.convert_to_numpy(d[name]) for d in (first, second)))
