"""A GAN whose discriminator judges pairs."""

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from kgen import models
from kgen.noise import normal
from tests.core import tiny

pytestmark = pytest.mark.backend

SHAPE, BATCH = (16, 16, 1), 6


def made(folder, **settings):
    """Build a model without dropout, pictures and noise."""
    overrides = {"loss": "relativistic", "dropout": 0.0, "gradient_penalty": 0.0, **settings}
    overrides = {f"model__{name}": value for name, value in overrides.items()}
    model = models.build(tiny.config("gan", folder, **overrides), SHAPE)
    real = ops.convert_to_tensor(normal(1, (BATCH, *SHAPE)))
    noise = {"z": ops.convert_to_tensor(normal(2, (2, BATCH, 8)))}
    return model, real, noise


def numbers(logs):
    """Read scalars."""
    return {name: float(ops.convert_to_numpy(value)) for name, value in logs.items()}


def logits(model, real, z):
    """Ask the discriminator about real pictures and about the generator's; float64 (n,) each."""
    # Batch norm by the moments of the batch, as in training.
    pictures = real, model.generator({"z": z}, training=True)
    said = (model.discriminator({"image": image}, training=True) for image in pictures)
    return [ops.convert_to_numpy(value).astype(np.float64)[:, 0] for value in said]


def test_both_losses_and_what_d_says_are_of_pairs(tmp_path):
    model, real, noise = made(tmp_path)
    ours, theirs = logits(model, real, noise["z"][0])
    loss, logs = model.discriminator_loss(real, None, noise, turn=0, training=True)
    said = numbers({**logs, "loss": loss})
    expected = -np.log(1 / (1 + np.exp(theirs - ours)))
    assert_allclose(said["d_loss"], expected.mean(), rtol=1e-5)  # float32
    assert said["loss"] == said["d_loss"]
    assert_allclose(said["d_real"], np.exp(-expected).mean(), rtol=1e-5)
    assert_allclose(said["d_real"] + said["d_fake"], 1, rtol=1e-6)

    ours, theirs = logits(model, real, noise["z"][1])
    loss, logs = model.generator_loss(real, None, noise, training=True)
    expected = -np.log(1 / (1 + np.exp(ours - theirs))).mean()
    assert_allclose(list(numbers({"g": loss, **logs}).values()), expected, rtol=1e-5)


def test_the_curves_compare_its_loss_with_one_answer_a_pair(tmp_path):
    for loss, answers in (("relativistic", 1), ("non_saturating", 2)):
        model, *_ = made(tmp_path, loss=loss)
        value, words = model.references["d_loss"]
        assert_allclose(value, answers * np.log(2))
        assert words == f"log {2 * answers}"
        # A discriminator that can only guess has it.
        for variable in model.discriminator.trainable_variables:
            variable.assign(np.zeros(variable.shape))
        _, real, noise = made(tmp_path, loss=loss)
        _, logs = model.discriminator_loss(real, None, noise, turn=0, training=True)
        assert_allclose(numbers(logs)["d_loss"], value, rtol=1e-6)
        assert_allclose(numbers(logs)["d_real"], model.references["d_real"][0], rtol=1e-6)
