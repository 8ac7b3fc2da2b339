"""The terms of the variational bound against SciPy and the exact bound of Gaussian pictures."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import integrate, special, stats

from kgen import schedule
from kgen.evaluation.diagnostics import bound, normal
from tests.golden.values import GOLDEN

STD = GOLDEN["gaussian_diffusion"]["data"]["std"]


def tables(kind="linear"):
    return schedule.ScheduleTables.from_betas(schedule.betas(kind, 1000))


def test_the_normal_distribution_is_scipys():
    x = np.linspace(-37, 37, 1481)
    assert_allclose(normal.cdf(x), stats.norm.cdf(x), rtol=1e-12)  # float64
    z = np.concatenate([np.linspace(-8, 60, 1361), [1e3, 1e6]])
    # the series leaves out 105 / z^8, below 4e-9 from z = 20 on, of a logarithm of 200
    assert_allclose(normal.log_tail(z), special.log_ndtr(-z), rtol=1e-10, atol=1e-15)


def test_the_probability_of_a_grey_level_is_the_reference_value():
    golden = GOLDEN["vae"]["formulas"]["discretized_gaussian_logprob"]
    x, mean = np.array(golden["x"]), np.array(golden["mean"])
    found = normal.log_bin(x, mean, golden["std"], 1 / 255)
    assert_allclose(found, golden["value"], rtol=1e-12)  # float64, another way to the same


@pytest.mark.parametrize(("mean", "sd"), [(0.3, 0.1), (-1.0, 0.01), (0.999, 0.5), (0.0, 1e-4)])
def test_the_256_grey_levels_share_all_probability(mean, sd):
    levels = np.arange(256) / 127.5 - 1
    log_p = normal.log_bin(levels, np.full(256, mean), sd, 1 / 255)
    assert np.isfinite(log_p).all()
    assert_allclose(np.exp(log_p).sum(), 1, rtol=1e-12)  # float64


def test_a_grey_level_far_off_has_a_finite_log_probability():
    # 2 away at sd 0.001: the nearest edge is 1,996 standard deviations off
    found = normal.log_bin(np.array([0.0]), np.array([1.0 - 2 / 255]), 1e-3, 1 / 255)
    edge = (1 - 3 / 255) / 1e-3
    expected = -0.5 * edge**2 - np.log(edge) - 0.5 * np.log(2 * np.pi)
    assert_allclose(found, expected, rtol=1e-10)  # the next term is 1 / edge^2 of it


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_the_bound_of_gaussian_pictures_is_the_reference_value(kind):
    golden = GOLDEN["gaussian_diffusion"]["vlb_nats_per_dim_optimal_predictor"]
    golden = golden[f"{kind}_T1000/fixed_large"]
    table, t = tables(kind), np.arange(1, 1000)
    ab = table.alpha_bars
    x0_mse = STD**2 * (1 - ab) / (ab * STD**2 + 1 - ab)  # variance of x0 given xt
    middle = bound.transition_term(table, t, x0_mse[1:]).sum()
    assert_allclose(middle, golden["sum_L_mid"], rtol=1e-9)  # float64, a sum of 999
    # of x0^2 only its mean matters: mu^2 + std^2
    x0 = np.full((1, 1), np.sqrt(0.5**2 + STD**2))
    assert_allclose(bound.prior_term(table, x0), golden["L_T"], rtol=1e-6)  # 1 - ab near 1


def test_the_decoders_term_is_the_integral_over_the_level():
    table = tables()
    rng = np.random.Generator(np.random.Philox(0))
    x0 = rng.integers(1, 255, (3, 4)) / 127.5 - 1
    x0_hat = x0 + 0.01 * rng.standard_normal((3, 4))
    sd = np.sqrt(table.betas[0])
    expected = [
        np.mean([
            -np.log(integrate.quad(stats.norm(m, sd).pdf, x - 1 / 255, x + 1 / 255)[0])
            for x, m in zip(row, row_hat, strict=True)
        ])
        for row, row_hat in zip(x0, x0_hat, strict=True)
    ]  # fmt: skip
    assert_allclose(bound.decoder_term(table, x0, x0_hat), expected, rtol=1e-7)  # quadrature


def test_the_decoders_term_is_the_density_where_levels_are_fine():
    # L_0 of the reference is a density; a level is 2/255 wide, small beside sd = 0.2 here
    table = schedule.ScheduleTables.from_betas(np.array([0.04, 0.5]))
    x0, x0_hat = np.array([[0.0]]), np.array([[0.1]])
    expected = -stats.norm.logpdf(0, 0.1, 0.2) - np.log(2 / 255)
    # the density bends by (width / sd)^2 / 24 = 6e-5 within a level
    assert_allclose(bound.decoder_term(table, x0, x0_hat), expected, atol=1e-4)
