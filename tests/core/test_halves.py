"""Where the halves of a batch are computed at the same time, and what they make."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from kgen.step import engine


@pytest.mark.parametrize(
    ("cores", "environment", "said", "threads"),
    [
        (6, {}, "", [2, 3]),
        (2, {}, "", [2, 1]),
        (1, {}, "", [0, 0]),  # TensorFlow's own choice
        (6, {"TF_NUM_INTRAOP_THREADS": "4"}, "", [0, 0]),
        (6, {"TF_NUM_INTEROP_THREADS": "1"}, "", [0, 0]),
        (6, {}, "own.set_intra_op_parallelism_threads(4)", [0, 4]),
    ],
)
def test_tensorflow_does_two_operations_at_a_time(
    subprocess_env, cores, environment, said, threads
):
    # Threads cannot be changed any more in a process that has computed.
    code = f"""
from kgen import backend, device
backend.select("tensorflow", device="cpu")
import tensorflow as tf
own = tf.config.threading
{said}
device.cores = lambda: {cores}
device.setup(device="cpu")
print([own.get_inter_op_parallelism_threads(), own.get_intra_op_parallelism_threads()])
tf.zeros(3) + 1
device.setup(device="cpu")  # too late, and no error
"""
    others = {name: value for name, value in subprocess_env.items() if "THREADS" not in name}
    done = subprocess.run(
        [sys.executable, "-c", code], env=others | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == threads


@pytest.mark.backend
@pytest.mark.parametrize("rows", [2, 7, 8])
def test_what_is_compiled_by_rows_is_in_order_and_halved_where_that_is_possible(rows, monkeypatch):
    monkeypatch.setattr(engine(), "two_at_a_time", lambda: True)
    can = keras.backend.backend() != "torch" and rows % 2 == 0
    halves = rows // 2 if can else rows
    layer, seen = keras.layers.Layer(), []

    def both(x, y):
        seen.append(x.shape[0])
        return {"product": x * y[:, None], "sum": [ops.sum(x, axis=1)]}

    x = np.random.default_rng(0).normal(size=(rows, 3)).astype("float32")
    y = np.arange(rows, dtype="float32")
    made = engine().compiled(layer, both, by_rows=True)(*map(ops.convert_to_tensor, (x, y)))
    assert set(seen) == {halves}
    product, total = ops.convert_to_numpy(made["product"]), ops.convert_to_numpy(made["sum"][0])
    np.testing.assert_allclose(product, x * y[:, None], rtol=1e-6)  # float32 rounding
    np.testing.assert_allclose(total, x.sum(1), rtol=1e-5, atol=1e-6)


@pytest.mark.backend
@pytest.mark.parametrize(
    ("cores", "threads", "expected"), [(2, "", True), (2, "2", False), (1, "", False)]
)
def test_xla_has_the_cores_where_nobody_says_how_many_threads(
    cores, threads, expected, monkeypatch
):
    monkeypatch.setattr(engine(), "cores", lambda: cores, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    # The tests say how many threads TensorFlow has; PyTorch divides its operations by itself.
    assert engine().two_at_a_time() == (expected and keras.backend.backend() == "jax")
