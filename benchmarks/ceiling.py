"""What the device can do: its fastest matrix product, and the most memory that was in use.

The backend must have been selected and the device set up before this module is imported.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import ops

from kgen.step import engine

SIZES = (512, 1024, 2048, 4096, 8192, 16384)
"""Rows and columns; the largest three matrices in float32 take 3 GiB."""

GROWTH = 1.03
"""A larger product that is not this much faster than the best so far is the last."""

PRODUCTS = 4
"""How many products a reading waits for: waiting costs a GPU about as much as a small product."""

READINGS = 5
LONG = 2.0
"""Seconds after which a size is measured no further."""


def matrix_product(clock: Callable[[], float] = time.perf_counter) -> float:
    """Measure the ceiling: FLOP/s of large square matrix products in the heavy layers' dtype.

    The products are Keras's own, on the device, with the backend and the precision that are set up,
    so that they may use what a training may (no TensorFloat-32 in float32). A size's rate is its
    fastest reading; sizes grow until the rate does not.
    """
    best = 0.0
    for size in SIZES:
        rate = 2.0 * size**3 * PRODUCTS / _seconds(size, clock)
        if rate < GROWTH * best:
            return max(best, rate)
        best = rate
    return best


def _seconds(size: int, clock: Callable[[], float]) -> float:
    """Measure `PRODUCTS` products of a size: the fastest reading."""
    dtype = keras.config.dtype_policy().compute_dtype
    # Of scale 1 / sqrt(size), so that products of products stay where they are.
    a: Any = ops.cast(keras.random.normal((size, size), stddev=size**-0.5, seed=0), dtype)
    run = engine().compiled(keras.layers.Layer(), partial(_powers, a), by_rows=True)
    begun, fastest = clock(), float("inf")
    _wait(run(a))  # compiles
    for _ in range(READINGS):
        started = clock()
        _wait(run(a))
        fastest = min(fastest, clock() - started)
        if clock() - begun > LONG:
            break
    return fastest


def _powers(a: Any, power: Any) -> Any:
    """Multiply rows by a matrix, `PRODUCTS` times; each product needs the one before."""
    for _ in range(PRODUCTS):
        power = ops.matmul(power, a)
    return power


def _wait(matrix: Any) -> None:
    """Wait for the device: read a number, in a type that NumPy has."""
    float(ops.convert_to_numpy(ops.cast(matrix[0, 0], "float32")))


def peak_memory() -> int | None:
    """Return the most bytes of an accelerator that were in use so far; None where nobody counts.

    What the backend's allocator handed out, as far as it says: not what libraries take by
    themselves. CPUs are not counted (benchmarks/memory.py does).
    """
    match keras.config.backend():
        case "jax":
            import jax

            (active,) = jax.numpy.zeros(()).devices()
            return (active.memory_stats() or {}).get("peak_bytes_in_use")
        case "torch":
            import torch

            tensor: Any = ops.zeros(())
            on_cuda = tensor.device.type == "cuda"
            return torch.cuda.max_memory_allocated(tensor.device) if on_cuda else None
        case "tensorflow":
            import tensorflow as tf

            seen = tf.config.get_visible_devices("GPU")
            return tf.config.experimental.get_memory_info("GPU:0")["peak"] if seen else None
    return None
