import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

from kgen.layers import Sampling
from tests.core.layers.harness import check_layer, functional, run

pytestmark = pytest.mark.backend

RNG = np.random.default_rng(0)
MEAN = RNG.normal(size=(4, 3)).astype("float32")
LOGVAR = RNG.normal(size=(4, 3)).astype("float32")
EPS = RNG.normal(size=(4, 3)).astype("float32")


def test_keeps_the_layer_contract():
    check_layer(Sampling, {"seed": 7}, [MEAN, LOGVAR], seed_generators=1, float32_output=True)


def test_given_noise_is_scaled_by_the_standard_deviation():
    # float32: one exp, one product, one sum
    expected = MEAN + np.sqrt(np.exp(LOGVAR.astype("float64"))) * EPS
    assert_allclose(run(Sampling(), [MEAN, LOGVAR, EPS]), expected, rtol=1e-6, atol=1e-6)


def test_given_noise_leaves_the_stream_of_noise_where_it_was():
    layer = Sampling(seed=1)
    before = ops.convert_to_numpy(layer.seed_generator.state)
    run(layer, [MEAN, LOGVAR, EPS])
    assert_array_equal(ops.convert_to_numpy(layer.seed_generator.state), before)


def test_takes_an_encoders_dictionary():
    pair = run(Sampling(seed=3), [MEAN, LOGVAR])
    both = {"mean": ops.convert_to_tensor(MEAN), "logvar": ops.convert_to_tensor(LOGVAR)}
    assert_array_equal(ops.convert_to_numpy(Sampling(seed=3)(both)), pair)


def test_draws_have_the_mean_and_variance_asked_for():
    n = 50_000
    mean, logvar = np.float32([0.5, -1.0]), np.float32([0.0, -3.0])
    z = run(Sampling(seed=0), [np.tile(mean, (n, 1)), np.tile(logvar, (n, 1))])
    variance = np.exp(logvar)
    # four standard errors of a normal sample's mean and variance
    assert np.all(np.abs(z.mean(0) - mean) < 4 * np.sqrt(variance / n))
    assert np.all(np.abs(z.var(0) - variance) < 4 * variance * np.sqrt(2 / n))


def test_compiled_and_eager_agree_on_given_noise():
    model = functional(Sampling(), [MEAN, LOGVAR, EPS])
    compiled = model.predict([MEAN, LOGVAR, EPS], verbose=0)
    # float32 rounding of exp
    assert_allclose(compiled, run(Sampling(), [MEAN, LOGVAR, EPS]), rtol=1e-6, atol=1e-6)


def test_mixed_precision_does_not_round_the_latents():
    rounded = run(Sampling(dtype="mixed_bfloat16"), [MEAN, LOGVAR, EPS])
    assert_array_equal(rounded, run(Sampling(), [MEAN, LOGVAR, EPS]))


def test_a_missing_logvar_is_explained():
    with pytest.raises(ValueError, match="Received: logvar=None"):
        Sampling()(ops.convert_to_tensor(MEAN))


def test_a_seed_that_is_not_an_int_is_refused():
    with pytest.raises(ValueError, match="Received: seed='x'"):
        Sampling(seed="x")  # pyright: ignore[reportArgumentType]


def test_the_seed_generators_state_is_among_the_models_variables():
    inputs = [keras.Input((3,), name="mean"), keras.Input((3,), name="logvar")]
    model = keras.Model(inputs, Sampling()(*inputs))
    assert len(model.non_trainable_variables) == 1
