import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from kgen.layers.norm import BatchNormalization
from kgen.step import engine
from tests.core.layers.harness import JIT, check_layer

pytestmark = pytest.mark.backend

HAS_KERNEL = keras.backend.backend() != "jax"
SHAPES = [(6, 5, 4, 12), (6, 12)]


def inputs(shape: tuple[int, ...], mean: float = 0.7) -> np.ndarray:
    rng = np.random.Generator(np.random.Philox(3))
    return (mean + 2.0 * rng.normal(size=shape)).astype("float32")


def trained(cls, x, target, *, jit_compile: bool = False, **options):
    """Step once by SGD, through a layer between two others; return the loss and all variables."""
    rng = np.random.Generator(np.random.Philox(5))
    picture = keras.Input(x.shape[1:])
    y = keras.layers.Dense(x.shape[-1])(picture)
    y = keras.layers.Dense(x.shape[-1])(cls(momentum=0.8, **options)(y))
    model = keras.Model(picture, y)
    model.set_weights([rng.uniform(0.5, 1.5, size=weight.shape) for weight in model.weights])
    model.compile(keras.optimizers.SGD(0.1), loss="mse", jit_compile=jit_compile)
    loss = model.train_on_batch(x, target)
    return np.float64(loss), model.get_weights()


def test_keeps_the_layer_contract():
    check_layer(BatchNormalization, {"momentum": 0.8, "epsilon": 1e-2}, [inputs(SHAPES[0])])


def test_reads_the_weights_of_keras_layer(tmp_path):
    path = tmp_path / "model.weights.h5"
    theirs, ours = (
        keras.Sequential([keras.Input(SHAPES[0][1:]), cls(name="norm")])
        for cls in (keras.layers.BatchNormalization, BatchNormalization)
    )
    theirs.set_weights([inputs(weight.shape) for weight in theirs.weights])
    theirs.save_weights(path)
    ours.load_weights(path)
    for our, their in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(our, their)


@pytest.mark.parametrize("jit_compile", [False, JIT])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_step_is_that_of_keras_layer(shape, jit_compile):
    rng = np.random.Generator(np.random.Philox(4))
    x, target = inputs(shape), rng.normal(size=shape)
    ours = trained(BatchNormalization, x, target, jit_compile=jit_compile)
    theirs = trained(keras.layers.BatchNormalization, x, target, jit_compile=jit_compile)
    # Kernels of float32, and E[x^2] - E[x]^2 where they take deviations: 2**-23 of some 100.
    assert_allclose(ours[0], theirs[0], rtol=1e-4)
    for our, their in zip(ours[1], theirs[1], strict=True):
        assert_allclose(our, their, rtol=1e-4, atol=1e-4)


def called(layer, x, *, training=True):
    y = layer(ops.convert_to_tensor(x), training=training)
    return tuple(ops.convert_to_numpy(v) for v in (y, layer.moving_mean, layer.moving_variance))


@pytest.mark.parametrize("shape", SHAPES)
def test_equals_float64(shape):
    x = inputs(shape)
    y, mean, variance = called(BatchNormalization(momentum=0.0, epsilon=1e-2), x)
    rows = x.astype("float64").reshape(-1, shape[-1])
    expected = (rows - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-2)
    # float32 rounding of sums of 6 to 120 numbers
    assert_allclose(y.reshape(rows.shape), expected, rtol=1e-4, atol=1e-4)
    assert_allclose(mean, rows.mean(0), rtol=1e-5, atol=1e-5)
    assert_allclose(variance, rows.var(0), rtol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_constant_channel_becomes_beta_and_has_no_variance(shape):
    y, mean, variance = called(BatchNormalization(momentum=0.0), np.full(shape, 3.7, "float32"))
    # A float32 sum of 120 numbers is off by at most 120 * 2**-24 of itself, and 1 / sqrt(1e-3)
    # makes 32 times of that.
    assert_allclose(y, 0.0, rtol=0, atol=1e-3)
    assert_allclose(mean, 3.7, rtol=1e-5)
    assert_allclose(variance, 0.0, rtol=0, atol=1e-5)


def counted(monkeypatch) -> list[int]:
    """Note how many numbers lie in what each call of the engine's kernel returned one for."""
    calls, kernel = [], engine().batch_norm

    def counting(*arguments):
        found = kernel(*arguments)
        if found is not None:
            calls.append(len(found))
        return found

    monkeypatch.setattr(engine(), "batch_norm", counting)
    return calls


def test_a_kernel_normalises_batches_of_pictures_in_training_only(monkeypatch):
    calls = counted(monkeypatch)
    layer, x = BatchNormalization(), inputs(SHAPES[0])
    called(layer, x, training=False)
    layer.trainable = False
    called(layer, x)
    assert calls == []
    layer.trainable = True
    called(layer, x)
    assert len(calls) == HAS_KERNEL


@pytest.mark.parametrize(
    "options", [{"scale": False}, {"center": False}, {"axis": 1}, {"renorm": True}], ids=str
)
def test_what_a_kernel_cannot_do_is_left_to_keras(options, monkeypatch):
    calls = counted(monkeypatch)
    x = inputs((6, 12, 12, 12))
    y, *averages = called(BatchNormalization(**options), x)
    theirs = called(keras.layers.BatchNormalization(**options), x)
    assert calls == []
    for ours, their in zip((y, *averages), theirs, strict=True):
        np.testing.assert_array_equal(ours, their)


def test_half_precision_is_normalised_in_float32():
    x = inputs(SHAPES[0], mean=300.0).astype("float16")
    layer = BatchNormalization(dtype="mixed_float16", momentum=0.0)
    y, mean, _ = called(layer, x)
    assert y.dtype == np.float16
    rows = x.astype("float64").reshape(-1, x.shape[-1])
    expected = (rows - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-3)
    # float16 rounding of values up to 4; the squares, 9e4, are beyond float16's range, and
    # E[x^2] - E[x]^2 of them is off by 300**2 * 2**-23 = 0.01 of 4.
    assert_allclose(y.reshape(rows.shape), expected, rtol=1e-2, atol=1e-2)
    assert_allclose(mean, rows.mean(0), rtol=1e-5)
