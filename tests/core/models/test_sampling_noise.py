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


@pytest.mark.parametrize("family", ["gan", "ae", "vae", "ddpm"])
def test_a_range_of_pictures_is_that_part_of_all(family, tmp_path):
    model = models.build(tiny.config(family, tmp_path), SHAPE)
    # Fresh weights paint nearly one grey: pictures are to be told apart.
    rng = np.random.default_rng(0)
    for variable in model.variables:
        if variable.dtype == "float32":
            variable.assign(variable + 0.3 * rng.standard_normal(variable.shape, np.float32))
    options = {"sampler": "ddpm", "num_steps": 3} if family == "ddpm" else {}
    every = model.generate(300, seed=7, **options).astype(int)
    assert len(np.unique(every.reshape(300, -1), axis=0)) == 300
    # Batches of one size compute a row alike, whichever rows are beside it.
    some = model.generate(128, seed=7, start=128, **options)
    np.testing.assert_array_equal(some, every[128:256])
    for start, n in ((5, 3), (127, 130)):
        # A whole number of 0 to 255; a batch of another size may round the other way.
        some = model.generate(n, seed=7, start=start, **options).astype(int)
        assert np.abs(some - every[start : start + n]).max() <= 1


def test_a_misspelt_option_is_not_passed_over(tmp_path):
    model = models.build(tiny.config("ddpm", tmp_path), SHAPE)
    with pytest.raises(TypeError, match="num_step"):
        model.generate(1, num_step=3)
