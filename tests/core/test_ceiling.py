"""benchmarks/ceiling.py: the device's fastest matrix product."""

from functools import partial

import numpy as np
import pytest

pytestmark = pytest.mark.backend


class Clock:
    """Says that each reading took so many seconds, the same for all readings of a size."""

    def __init__(self, seconds):
        self.seconds, self.now, self.calls, self.size = seconds, 0.0, 0, -1

    def __call__(self):
        from benchmarks import ceiling

        # Asked once before a size is compiled, then three times for each reading.
        turn = self.calls % (1 + 3 * ceiling.READINGS)
        self.size += turn == 0
        self.now += self.seconds[self.size] if turn % 3 == 2 else 0.0
        self.calls += 1
        return self.now


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        # Twice the side is 8 times the work: 1 s, 4 s, 16 s are 1, 2, 4 times the rate.
        ((1e-3, 4e-3, 16e-3), 4 * 2 * 8**3 * 4 / 1e-3),
        # The second is slower, so the third, which would be the fastest, is not tried.
        ((1e-3, 16e-3, 1e-9), 2 * 8**3 * 4 / 1e-3),
    ],
)
def test_the_ceiling_is_the_rate_at_which_sizes_stop_to_matter(seconds, expected, monkeypatch):
    from benchmarks import ceiling

    monkeypatch.setattr(ceiling, "SIZES", (8, 16, 32))
    # rtol: the clock adds up a hundred float64.
    np.testing.assert_allclose(ceiling.matrix_product(Clock(seconds)), expected, rtol=1e-9)


@pytest.mark.parametrize(("policy", "rtol"), [("float32", 1e-5), ("mixed_bfloat16", 5e-2)])
def test_what_is_timed_is_the_product_of_so_many_matrices(policy, rtol, monkeypatch):
    import keras

    from benchmarks import ceiling
    from kgen.step import engine

    keras.config.set_dtype_policy(policy)
    dtype = keras.config.dtype_policy().compute_dtype
    # Positive numbers: nothing cancels, so errors stay those of 4 roundings (float32: 6e-8 each
    # and sums of 8; bfloat16: 4e-3 each, and of the factor itself).
    a = np.random.default_rng(0).uniform(0.1, 0.2, (8, 8)).astype("float32")
    # By halves where that is possible: rows are multiplied by themselves.
    monkeypatch.setattr(engine(), "two_at_a_time", lambda: True)
    matrix = keras.ops.cast(a, dtype)
    run = engine().compiled(keras.layers.Layer(), partial(ceiling._powers, matrix), by_rows=True)
    product = run(matrix)
    assert keras.backend.standardize_dtype(product.dtype) == dtype
    expected = np.linalg.matrix_power(a.astype("float64"), ceiling.PRODUCTS + 1)
    found = keras.ops.convert_to_numpy(keras.ops.cast(product, "float32"))
    np.testing.assert_allclose(found, expected, rtol=rtol)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_it_is_measured_in_every_precision(policy, monkeypatch):
    import keras

    from benchmarks import ceiling

    keras.config.set_dtype_policy(policy)
    monkeypatch.setattr(ceiling, "SIZES", (8, 16))
    assert ceiling.matrix_product() > 0.0


def test_a_cpus_memory_is_not_counted():
    from benchmarks import ceiling

    assert ceiling.peak_memory() is None
