"""The noise that a diffusion model's pictures are drawn from, as docs/noise.md lays it out."""

import numpy as np
import pytest
from keras import ops

from kgen import models, samplers
from kgen.noise import normal
from tests.core import tiny

pytestmark = pytest.mark.backend

SHAPE = (16, 16, 1)


@pytest.mark.parametrize("n", [3, 128, 300])
def test_the_noise_of_a_picture_does_not_depend_on_its_batch(n, tmp_path, monkeypatch):
    model = models.build(tiny.config("ddpm", tmp_path), SHAPE)
    starts, steps = [], {0: [], 5: []}

    def note(predict_x0, x_T, plan, noise, clip, on_step):
        starts.append(ops.convert_to_numpy(x_T))
        for i, noted in steps.items():
            noted.append(ops.convert_to_numpy(noise(i, tuple(x_T.shape))))
        return x_T

    monkeypatch.setattr(samplers, "sample", note)
    model.generate(n, seed=7, sampler="ddpm")
    # The last batch may be filled up with pictures that are thrown away.
    assert len(starts) == -(-n // 128)
    np.testing.assert_array_equal(np.concatenate(starts)[:n], normal(7, (n, *SHAPE)))
    for i, noted in steps.items():
        np.testing.assert_array_equal(
            np.concatenate(noted)[:n], normal(7, (n, *SHAPE), stream=i + 1)
        )


@pytest.mark.parametrize("family", ["gan", "vae"])
def test_a_picture_is_decoded_from_its_row_of_z(family, tmp_path):
    model = models.build(tiny.config(family, tmp_path), SHAPE)
    latent_dim = model.settings.latent_dim
    (third,) = model.decode(normal(7, (1, latent_dim), start=2 * latent_dim))
    # A whole number of 0 to 255; a batch of another size may round the other way.
    difference = model.generate(5, seed=7)[2].astype(int) - third
    assert abs(difference).max() <= 1
