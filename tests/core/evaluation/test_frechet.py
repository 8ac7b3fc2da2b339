"""The Fréchet distance against closed forms, another root, and Monte Carlo."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import linalg

from kgen.evaluation.metrics.frechet import (
    Moments,
    finite_sample_bias,
    finite_sample_sd,
    frechet_distance,
    frechet_sd,
)
from tests.golden.values import GOLDEN

METRICS = GOLDEN["metrics"]
FLOAT64 = 1e-12  # sums of a few hundred products in float64, eps 2.2e-16 each
ROOT = 1e-7  # a root of an eigenvalue that should be 0: that of float64's eps


def normal(mean, covariance) -> Moments:
    """Return the moments of a normal distribution: of two rows, a covariance is the scatter."""
    return Moments(2, np.array(mean, dtype=float), np.array(covariance, dtype=float))


def draws(n: int, d: int, seed: int, scale=1.0, shift=0.0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d)) * scale + shift


def test_between_normals_whose_covariances_do_not_commute_it_is_golden():
    g = METRICS["frechet"]
    a, b = normal(g["m1"], g["S1"]), normal(g["m2"], g["S2"])
    assert_allclose(frechet_distance(a, b), g["value"], rtol=FLOAT64)
    assert_allclose(frechet_distance(b, a), g["value"], rtol=FLOAT64)
    c = normal(g["m2"], g["S1"])
    assert_allclose(frechet_distance(a, c), g["equal_cov"], rtol=FLOAT64)


@pytest.mark.parametrize("case", ["diag_case", "rank_deficient"])
def test_between_normals_along_the_axes_it_is_the_distance_of_the_deviations(case):
    spectra = {
        "diag_case": ([4.0, 1.0], [1.0, 9.0]),
        "rank_deficient": ([1.0, 0.0, 0.0], [0.0, 4.0, 0.0]),
    }
    a, b = (normal(np.zeros(len(s)), np.diag(s)) for s in spectra[case])
    assert_allclose(
        frechet_distance(a, b), METRICS["frechet"][case]["value_zero_mean"], rtol=FLOAT64
    )


def test_of_sets_it_is_golden():
    x, y = (Moments.of(np.array(METRICS["toy_sets"][name])) for name in "XY")
    assert_allclose(frechet_distance(x, y), METRICS["toy_frechet"], rtol=FLOAT64)


def test_it_agrees_with_a_general_matrix_root():
    a, b = Moments.of(draws(50, 20, 0)), Moments.of(draws(60, 20, 1, 1.5, 0.3))
    cross = np.trace(linalg.sqrtm(a.covariance @ b.covariance)).real
    gap = a.mean - b.mean
    expected = gap @ gap + np.trace(a.covariance) + np.trace(b.covariance) - 2 * cross
    assert_allclose(frechet_distance(a, b), expected, rtol=1e-9)  # sqrtm's own error: 1e-11 here


def test_fewer_rows_than_features_are_no_obstacle():
    # All rows lie on two lines through their means: |s_a u - s_b v|^2 of the singular covariances.
    u = np.zeros(64)
    u[3] = 1.0
    line = np.linspace(-1, 1, 9)[:, None] * u
    a, b = Moments.of(line), Moments.of(3 * line + 1)
    expected = 64 + np.var(line[:, 3], ddof=1) * (3 - 1) ** 2
    assert_allclose(frechet_distance(a, b), expected, rtol=ROOT)


def test_of_equal_sets_it_is_zero():
    a = Moments.of(draws(100, 64, 0))
    assert 0.0 <= frechet_distance(a, a) < ROOT
    constant = Moments.of(np.ones((5, 3)))
    assert frechet_distance(constant, constant) == 0.0


@pytest.mark.parametrize("sizes", [[1, 1, 98], [50, 50], [7] * 14 + [2]])
def test_moments_of_chunks_add_up_to_those_of_the_whole(sizes):
    # A mean of 1e6 deviations: summing squares would keep 16 - 12 digits of the covariance.
    rows = draws(100, 5, 0, shift=1e6)
    chunks = np.split(rows, np.cumsum(sizes)[:-1])
    total = sum((Moments.of(c) for c in chunks[1:]), Moments.of(chunks[0]))
    assert total.n == 100
    assert_allclose(total.mean, rows.mean(axis=0), rtol=FLOAT64)
    # A deviation of 1 is known to eps * 1e6.
    assert_allclose(total.covariance, np.cov(rows, rowvar=False), rtol=0, atol=1e-9)


def test_moments_of_many_float32_rows_are_those_in_float64():
    rows = draws(10_000, 3, 0, shift=100.0).astype(np.float32)  # more than are looked at at once
    expected = np.cov(rows.astype(np.float64), rowvar=False)
    assert_allclose(Moments.of(rows).covariance, expected, rtol=0, atol=1e-11)


def test_the_bias_is_golden():
    g = METRICS["fd_bias_same_gaussian"]
    bias = finite_sample_bias(np.eye(64), 10_000, 10_000)
    assert_allclose(bias, g["d64_N10000_M10000"], rtol=FLOAT64)


def test_the_bias_and_the_noise_are_those_of_draws_of_one_normal():
    scales = np.array([3.0, 2.0, 1.0, 0.5, 0.1, 0.0])  # one constant feature
    n, m, repeats = 2000, 1000, 200
    rng = np.random.default_rng(0)

    def one() -> float:
        a, b = (rng.standard_normal((k, 6)) * scales for k in (n, m))
        return frechet_distance(Moments.of(a), Moments.of(b))

    found = [one() for _ in range(repeats)]
    error = np.std(found) / repeats**0.5
    covariance = np.diag(scales**2)
    # Four standard errors, and 1 % for the next order in 1 / n.
    expected = finite_sample_bias(covariance, n, m)
    assert abs(np.mean(found) - expected) < 4 * error + 0.01 * expected
    # The standard deviation of 200 draws of a sum of few chi^2: 10 % to two standard errors.
    assert_allclose(finite_sample_sd(covariance, n, m), np.std(found), rtol=0.2)


@pytest.mark.parametrize(
    ("scale", "shift", "m"),
    [(1.0, 0.0, 400), (1.05, 0.1, 400), (0.6, 0.7, 400), (1.3, 0.3, 150)],
    ids=["same", "near", "far", "few"],
)
def test_the_standard_deviation_is_that_over_draws(scale, shift, m):
    pairs = [(draws(400, 8, 2 * i), draws(m, 8, 2 * i + 1, scale, shift)) for i in range(150)]
    found = np.std([frechet_distance(Moments.of(a), Moments.of(b)) for a, b in pairs])
    estimates = [frechet_sd(a, b) for a, b in pairs[:20]]
    # The true one is known to 1 / sqrt(300) = 6 %; few rows make the estimate 15 % too large.
    assert_allclose(np.sqrt(np.mean(np.square(estimates))), found, rtol=0.3)


def test_the_standard_deviation_survives_constant_and_singular_sets():
    constant, real = np.zeros((50, 4)), draws(60, 4, 0)
    assert np.isfinite(frechet_sd(real, constant))
    assert np.isfinite(frechet_sd(constant, real))
    assert frechet_sd(constant, constant) == 0.0
    assert np.isfinite(frechet_sd(draws(20, 64, 1), draws(30, 64, 2)))
