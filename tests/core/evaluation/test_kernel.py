"""The kernel distance against golden values, plain loops, and Monte Carlo."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from kgen.evaluation.metrics import kernel
from kgen.evaluation.metrics.kernel import KernelSums, kernel_distance, standardised
from tests.golden.values import GOLDEN

METRICS = GOLDEN["metrics"]
FLOAT64 = 1e-10  # sums of 1e4 cubes in float64, of both signs


def draws(n: int, d: int, seed: int, scale=1.0, shift=0.0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d)) * scale + shift


def between(a: np.ndarray, b: np.ndarray):
    return kernel_distance(KernelSums.of(a), KernelSums.of(b))


def test_it_is_golden():
    x, y = (np.array(METRICS["toy_sets"][name]) for name in "XY")
    assert_allclose(between(x, y).value, METRICS["kid_poly3_unbiased"], rtol=FLOAT64)


def test_tiles_change_nothing(monkeypatch):
    a, b = draws(50, 3, 0), draws(70, 3, 1, 1.2)
    whole = between(a, b)
    monkeypatch.setattr(kernel, "_TILE", 16)
    tiled = between(a, b)
    assert_allclose((tiled.value, tiled.sd), (whole.value, whole.sd), rtol=FLOAT64, atol=FLOAT64)


def test_of_draws_of_one_distribution_it_is_zero_on_average_however_few():
    found = [between(draws(20, 4, 2 * i), draws(12, 4, 2 * i + 1)).value for i in range(400)]
    assert abs(np.mean(found)) < 4 * np.std(found) / 20  # four standard errors


def test_a_constant_feature_does_not_divide_by_zero():
    reference = np.hstack([draws(30, 2, 0, 5.0), np.full((30, 1), 7.0)])
    found = standardised(reference, reference)
    assert_allclose(found[:, :2].std(axis=0), 1.0, rtol=FLOAT64)
    assert_allclose(found[:, 2], 0.0, atol=FLOAT64)


def test_the_scale_of_a_feature_does_not_matter():
    a, b = draws(60, 3, 0), draws(50, 3, 1, 1.3, 0.2)
    scale = np.array([1e-3, 1.0, 1e3])
    plain = between(standardised(a, a), standardised(b, a)).value
    scaled = between(standardised(a * scale, a * scale), standardised(b * scale, a * scale)).value
    assert_allclose(scaled, plain, rtol=1e-9)


@pytest.mark.parametrize(
    ("scale", "shift", "m"),
    [(1.0, 0.0, 200), (1.05, 0.1, 200), (0.6, 0.7, 200), (1.3, 0.3, 70)],
    ids=["same", "near", "far", "few"],
)
def test_the_standard_deviation_is_that_over_draws(scale, shift, m):
    found = [
        between(draws(200, 8, 2 * i), draws(m, 8, 2 * i + 1, scale, shift)) for i in range(200)
    ]
    estimate = np.sqrt(np.mean([v.sd**2 for v in found]))
    # The true one is known to 5 % where it is normal; cubes of normals have heavy tails.
    assert_allclose(estimate, np.std([v.value for v in found]), rtol=0.35)
