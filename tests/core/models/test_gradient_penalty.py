"""What the gradient penalty adds to the discriminator's objective of a GAN."""

import keras
import numpy as np
import pytest
from keras import ops

from kgen import models
from kgen.noise import normal
from tests.core import tiny

pytestmark = pytest.mark.backend

SHAPE, BATCH = (16, 16, 1), 4


def objective(folder, move: float, **overrides) -> tuple[float, float]:
    """Return what D minimises and the `d_loss` that is reported, moved by `move` in every pixel."""
    settings = {f"model__{name}": value for name, value in overrides.items()}
    keras.utils.set_random_seed(0)  # the same weights in every call
    model = models.build(tiny.config("gan", folder, **settings), SHAPE)
    real = ops.convert_to_tensor(normal(1, (BATCH, *SHAPE)))
    noise = {
        "z": ops.convert_to_tensor(normal(2, (2, BATCH, 8))),
        "direction": ops.full((1, BATCH, *SHAPE), move),
    }
    loss, logs = model.discriminator_loss(real, None, noise, turn=0, training=True)
    return tuple(float(ops.convert_to_numpy(value)) for value in (loss, logs["d_loss"]))


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_discriminator_that_is_not_moved_pays_nothing_whatever_its_dropout(dropout, tmp_path):
    loss, reported = objective(tmp_path, 0.0, dropout=dropout, gradient_penalty=1000.0)
    # The same network read twice: float32 logits of size 1 may differ by 1e-7 (another kernel),
    # which over the distance 0.1, squared and times 500 is 5e-10, less than float32 sees beside 1.
    assert loss == pytest.approx(reported, rel=2e-7)


def test_the_penalty_is_minimised_by_its_weight_but_not_reported(tmp_path):
    plain, reported = objective(tmp_path, 1.0, dropout=0.0, gradient_penalty=0.0)
    assert plain == reported
    once, again = objective(tmp_path, 1.0, dropout=0.0, gradient_penalty=1.0)
    assert again == pytest.approx(reported, rel=1e-6)  # float32, as one compiled function or not
    twice, _ = objective(tmp_path, 1.0, dropout=0.0, gradient_penalty=2.0)
    assert once > reported + 1e-3
    assert twice - reported == pytest.approx(2 * (once - reported), rel=1e-3)  # 1e-6 over 1e-3


@pytest.mark.parametrize("seed", [0, "generator"])
def test_the_latent_and_the_direction_share_no_bits(seed, tmp_path):
    model = models.build(tiny.config("gan", tmp_path, model__gradient_penalty=1.0), SHAPE)
    drawn = model.draw(BATCH, keras.random.SeedGenerator(0) if seed == "generator" else seed)
    z, direction = (ops.convert_to_numpy(drawn[name]).ravel() for name in ("z", "direction"))
    # 64 pairs of independent numbers: a correlation above 0.5 is four standard errors away.
    assert abs(np.corrcoef(z, direction[: z.size])[0, 1]) < 0.5
