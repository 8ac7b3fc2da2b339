"""What every layer of kgen promises, in one place: `check_layer` is called for each of them."""

import inspect
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

# Keras itself compiles PyTorch models only on request, and needs a C++ compiler on the machine.
JIT = keras.backend.backend() != "torch"


def check_layer(
    cls: type[keras.layers.Layer],
    config: dict[str, Any],
    inputs: Sequence[np.ndarray],
    *,
    seed_generators: int = 0,
    float32_output: bool = False,
    rtol: float = 1e-5,
    atol: float = 1e-5,
) -> None:
    """Check a layer's whole contract on the current backend.

    Args:
        cls: the layer's class.
        config: arguments to build it with.
        inputs: arrays it is called with, positionally, all with the same first (batch) axis.
        seed_generators: how many it owns; with more than 0, its output is random.
        float32_output: whether it answers in float32 under mixed precision too.
        rtol: between compiled and eager results (another order of float32 sums).
        atol: likewise.
    """
    _check_config(cls, config)
    _check_seeds(cls(**config), inputs, seed_generators)
    _check_save_and_load(cls(**config), inputs)
    _check_jit(cls(**config), inputs, bool(seed_generators), rtol, atol)
    for policy in ("mixed_bfloat16", "mixed_float16"):
        _check_precision(cls(**config, dtype=policy), inputs, float32_output)


def functional(layer: keras.layers.Layer, inputs: Sequence[np.ndarray]) -> keras.Model:
    """Wrap a layer into a model with one named input for each array, any batch size."""
    tensors = [
        keras.Input(shape=a.shape[1:], dtype=a.dtype.name, name=f"input_{i}")
        for i, a in enumerate(inputs)
    ]
    return keras.Model(tensors, layer(*tensors))


def run(layer: keras.layers.Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """Call a layer eagerly on arrays."""
    return ops.convert_to_numpy(layer(*[ops.convert_to_tensor(a) for a in inputs]))


def _predict(model: keras.Model, inputs: Sequence[np.ndarray], batch_size: int) -> np.ndarray:
    return model.predict(list(inputs), batch_size=batch_size, verbose=0)


def _check_config(cls: type[keras.layers.Layer], config: dict[str, Any]) -> None:
    layer = cls(**config, name="subject")
    saved = layer.get_config()
    arguments = [
        name
        for name, p in inspect.signature(cls.__init__).parameters.items()
        if name != "self" and p.kind is not p.VAR_KEYWORD
    ]
    assert set(arguments) <= set(saved), "get_config forgets an argument"
    assert {key: saved[key] for key in config} == config
    rebuilt = cls.from_config(json.loads(json.dumps(saved)))
    assert rebuilt.get_config() == saved


def _check_seeds(layer: keras.layers.Layer, inputs: Sequence[np.ndarray], expected: int) -> None:
    first, second = run(layer, inputs), run(layer, inputs)
    states = [v for v in layer.variables if v.path.endswith("seed_generator_state")]
    assert len(states) == expected
    if expected:
        assert np.any(first != second), "two calls draw the same noise"
    else:
        assert_array_equal(first, second)


def _check_save_and_load(layer: keras.layers.Layer, inputs: Sequence[np.ndarray]) -> None:
    model = functional(layer, inputs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        loaded = keras.saving.load_model(path)
    assert len(loaded.variables) == len(model.variables)
    for ours, theirs in zip(model.variables, loaded.variables, strict=True):
        assert_array_equal(ops.convert_to_numpy(ours), ops.convert_to_numpy(theirs))
    # Random layers too: the seed generators' state is saved.
    size = len(inputs[0])
    assert_array_equal(_predict(model, inputs, size), _predict(loaded, inputs, size))


def _check_jit(
    layer: keras.layers.Layer, inputs: Sequence[np.ndarray], random: bool, rtol: float, atol: float
) -> None:
    model = functional(layer, inputs)
    model.compile(jit_compile=JIT)
    size = len(inputs[0])
    twice = [np.concatenate([a, a]) for a in inputs]
    first, second = np.split(_predict(model, twice, size), 2)
    assert np.all(np.isfinite(first))
    if random:
        assert np.any(first != second), "two compiled steps draw the same noise"
        assert np.any(first != _predict(model, inputs, size)), "two runs draw the same noise"
    else:
        assert_allclose(first, run(layer, inputs), rtol=rtol, atol=atol)
        assert_array_equal(first, second)


def _check_precision(
    layer: keras.layers.Layer, inputs: Sequence[np.ndarray], float32_output: bool
) -> None:
    output = layer(*[ops.convert_to_tensor(a) for a in inputs])
    expected = "float32" if float32_output else layer.compute_dtype
    assert keras.backend.standardize_dtype(output.dtype) == expected
    assert np.all(np.isfinite(ops.convert_to_numpy(ops.cast(output, "float32"))))
    for variable in layer.trainable_variables:
        assert variable.dtype == "float32"
