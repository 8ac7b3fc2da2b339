"""Networks start where training works: unsaturated, undecided, quiet.

Runs once: initial weights come from the same distributions on every backend.
"""

import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_array_equal

from kgen import networks
from tests.core.networks.cases import tensors

pytestmark = pytest.mark.backend

SHAPE = (28, 28, 1)


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(11)


def noise(*shape: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(12)).normal(size=shape).astype("float32")


@pytest.mark.parametrize("kind", ["conv", "mlp"])
def test_generator_starts_unsaturated_and_varied(kind):
    model = networks.build_generator(kind, 64, SHAPE)
    fake = ops.convert_to_numpy(networks.call(model, True, z=noise(32, 64)))
    assert 0.05 < fake.std() < 0.7
    assert np.mean(np.abs(fake) > 0.99) < 0.02
    assert fake.std(axis=0).mean() > 0.04, "pictures differ with z"


@pytest.mark.parametrize("kind", ["conv", "mlp"])
def test_discriminator_starts_undecided(kind):
    model = networks.build_discriminator(kind, SHAPE)
    logits = ops.convert_to_numpy(networks.call(model, False, image=np.tanh(noise(32, *SHAPE))))
    assert np.abs(logits).max() < 3


@pytest.mark.parametrize("kind", ["conv", "mlp"])
def test_encoder_starts_with_the_variance_of_the_prior(kind):
    model = networks.build_encoder(kind, 16, SHAPE)
    posterior = networks.call(model, False, image=noise(8, *SHAPE) > 0)
    assert_array_equal(ops.convert_to_numpy(posterior["logvar"]), 0)
    mean = ops.convert_to_numpy(posterior["mean"])
    assert 0.05 < mean.std() < 2


@pytest.mark.parametrize("kind", ["conv", "mlp"])
def test_decoder_starts_within_a_few_units_of_zero(kind):
    model = networks.build_decoder(kind, 16, SHAPE)
    raw = ops.convert_to_numpy(networks.call(model, False, z=noise(32, 16)))
    assert 0.05 < raw.std() < 2


def test_denoiser_starts_at_zero():
    model = networks.build_denoiser(SHAPE)
    inputs = tensors(SHAPE)
    assert_array_equal(ops.convert_to_numpy(networks.call(model, True, **inputs)), 0)


@pytest.mark.parametrize(
    ("build", "arguments", "thousands"),
    [
        (networks.build_generator, ("conv", 64, SHAPE), 220),
        (networks.build_discriminator, ("conv", SHAPE), 167),
        (networks.build_encoder, ("conv", 16, SHAPE), 134),
        (networks.build_decoder, ("conv", 16, SHAPE), 72),
        (networks.build_denoiser, (SHAPE,), 360),
    ],
)
def test_default_networks_have_the_stated_number_of_parameters(build, arguments, thousands):
    assert round(build(*arguments).count_params() / 1000) == thousands


def test_mlp_networks_are_those_of_the_study_notes():
    generator = networks.build_generator("mlp", 100, SHAPE, (256, 512, 1024))
    # dense weights and biases, then 4 numbers per unit of batch norm
    dense = [(100, 256), (256, 512), (512, 1024), (1024, 784)]
    assert generator.count_params() == sum(n * m + m for n, m in dense) + 4 * (256 + 512 + 1024)
    discriminator = networks.build_discriminator("mlp", SHAPE, (512, 256))
    assert discriminator.count_params() == 785 * 512 + 513 * 256 + 257
    encoder = networks.build_encoder("mlp", 20, SHAPE, (400,))
    assert encoder.count_params() == 785 * 400 + 2 * 401 * 20
    decoder = networks.build_decoder("mlp", 20, SHAPE, (400,))
    assert decoder.count_params() == 21 * 400 + 401 * 784
    kinds = [type(layer).__name__ for layer in generator.layers]
    assert kinds[1:4] == ["Dense", "LeakyReLU", "BatchNormalization"]
    norm = generator.get_layer("hidden0_norm")
    assert norm.momentum == 0.8
    assert generator.get_layer("hidden0_act").negative_slope == pytest.approx(0.2)
