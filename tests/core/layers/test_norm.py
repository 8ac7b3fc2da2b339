import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from kgen.layers.norm import GroupNorm
from kgen.step import engine
from tests.core.layers.harness import check_layer, run

pytestmark = pytest.mark.backend


def pictures(channels: int = 12, mean: float = 0.7, spread: float = 2.0) -> np.ndarray:
    rng = np.random.Generator(np.random.Philox(3))
    return (mean + spread * rng.normal(size=(3, 5, 4, channels))).astype("float32")


def modulation() -> np.ndarray:
    rng = np.random.Generator(np.random.Philox(4))
    return rng.normal(size=(3, 24)).astype("float32")


def oracle(x: np.ndarray, groups: int, epsilon: float = 1e-5) -> np.ndarray:
    """Normalise in float64, with the variance as the mean squared deviation."""
    x = x.astype("float64")
    grouped = x.reshape(*x.shape[:3], groups, -1)
    mean = grouped.mean(axis=(1, 2, 4), keepdims=True)
    variance = grouped.var(axis=(1, 2, 4), keepdims=True)
    return ((grouped - mean) / np.sqrt(variance + epsilon)).reshape(x.shape)


def test_keeps_the_layer_contract_with_and_without_modulation():
    check_layer(GroupNorm, {"groups": 4, "epsilon": 1e-3}, [pictures()])
    check_layer(GroupNorm, {"groups": 4, "epsilon": 1e-3}, [pictures(), modulation()])


@pytest.mark.parametrize("groups", [1, 4, 12])
def test_equals_keras_group_normalization(groups):
    ours = GroupNorm(groups)
    theirs = keras.layers.GroupNormalization(groups, epsilon=1e-5)
    ours.build((None, 5, 4, 12))
    theirs.build((None, 5, 4, 12))
    gamma, beta = np.split(modulation()[0], 2)
    ours.set_weights([gamma, beta])
    theirs.set_weights([gamma, beta])
    # float32 sums of 20 to 240 numbers in another order: a few times 2**-24 of values up to 10
    assert_allclose(run(ours, [pictures()]), run(theirs, [pictures()]), rtol=1e-5, atol=1e-5)


def test_scale_and_shift_act_on_each_picture_and_channel():
    scale, shift = np.split(modulation(), 2, axis=-1)
    expected = oracle(pictures(), 4) * (1 + scale[:, None, None]) + shift[:, None, None]
    # float32 rounding, as above
    assert_allclose(run(GroupNorm(4), [pictures(), modulation()]), expected, rtol=1e-5, atol=1e-5)


def test_a_constant_group_becomes_beta():
    x = np.full((2, 4, 4, 8), 3.7, "float32")
    # E[x^2] - E[x]^2 of a constant is off by at most 3.7**2 * 2**-23 = 2e-6, of an epsilon of
    # 1e-5; the map's own rounding is 3.7 / sqrt(1e-5) * 2**-23 = 1.4e-4
    assert_allclose(run(GroupNorm(2), [x]), 0.0, rtol=0, atol=5e-4)


def test_a_variance_near_zero_stays_finite_and_close():
    x = pictures(8, mean=1.0, spread=1e-4)
    # variance 1e-8 beside epsilon 1e-5: cancellation, 2**-23, moves their sum by 1 %; values
    # reach 0.1, and 1 / sqrt(1e-5) * 2**-23 = 4e-5 is the map's rounding
    assert_allclose(run(GroupNorm(2), [x]), oracle(x, 2), rtol=0.02, atol=2e-4)


def test_float16_pictures_whose_squares_overflow_are_normalised():
    x = pictures(8, mean=100.0, spread=400.0).astype("float16")
    layer = GroupNorm(2, dtype="mixed_float16")
    y = layer(ops.convert_to_tensor(x))
    assert keras.backend.standardize_dtype(y.dtype) == "float16"
    y = ops.convert_to_numpy(ops.cast(y, "float32"))
    # float16 rounding of values up to 4
    assert_allclose(y, oracle(x, 2), rtol=2e-3, atol=2e-3)


def loss_in_float64(weights, x, modulation, target):
    kernel, bias, gamma, beta = weights
    y = oracle(x @ kernel + bias, 4) * gamma + beta
    if modulation is not None:
        scale, shift = np.split(modulation.astype("float64"), 2, axis=-1)
        y = y * (1 + scale[:, None, None]) + shift[:, None, None]
    return np.square(y - target).mean()


@pytest.mark.parametrize("way", ["kernel", "formula"])
@pytest.mark.parametrize("modulated", [False, True])
def test_gradients_are_those_of_central_differences(way, modulated, monkeypatch):
    if way == "formula":
        monkeypatch.setattr(engine(), "group_norm", lambda *_: None)
    arrays = [pictures(), *([modulation()] if modulated else [])]
    inputs = [keras.Input(array.shape[1:]) for array in arrays]
    y = GroupNorm(4)(keras.layers.Dense(12)(inputs[0]), *inputs[1:])
    model = keras.Model(inputs, y)
    rng = np.random.Generator(np.random.Philox(5))
    before = [rng.normal(size=weight.shape) for weight in model.weights]
    target = rng.normal(size=(3, 5, 4, 12))
    model.set_weights(before)
    model.compile(keras.optimizers.SGD(1.0), loss="mse", jit_compile=False)
    model.train_on_batch(arrays, target)
    after = model.get_weights()

    along = [rng.normal(size=weight.shape) for weight in before]
    slope = -sum(((b - a) * d).sum() for b, a, d in zip(after, before, along, strict=True))
    losses = [
        loss_in_float64(
            [a + h * d for a, d in zip(before, along, strict=True)],
            arrays[0].astype("float64"), modulation() if modulated else None, target,
        )
        for h in (1e-5, -1e-5)
    ]  # fmt: skip
    # float32: sums of 240 products, and weights of size 1 that are moved by a hundredth of that
    assert_allclose(slope, (losses[0] - losses[1]) / 2e-5, rtol=1e-4)


def test_channels_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="channels=10, groups=4"):
        GroupNorm(4).build((None, 4, 4, 10))
