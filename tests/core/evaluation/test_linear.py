"""The linear bars against SciPy, brute force and the reference values."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from kgen import schedule
from kgen.data.named import load_named
from kgen.evaluation.diagnostics import linear
from kgen.evaluation.diagnostics.linear import Linear
from tests.golden.values import FASHION, GOLDEN


def correlated(n, shape=(4, 4, 1), seed=0):
    """Make uint8 pictures whose neighbouring pixels resemble each other."""
    rng = np.random.Generator(np.random.Philox(seed))
    d = int(np.prod(shape))
    mixing = np.tril(np.ones((d, d))) * 0.9 ** np.abs(np.subtract.outer(range(d), range(d)))
    x = 128 + 18 * rng.standard_normal((n, d)) @ mixing.T
    return np.clip(x, 0, 255).round().astype(np.uint8).reshape(n, *shape)


TRAIN, HELD_OUT = correlated(500), correlated(40, seed=1)


def flat(images):
    return images.reshape(len(images), -1) / 255


@pytest.mark.parametrize("latents", [1, 3, 16])
def test_pca_rebuilds_as_the_singular_vectors_do(latents):
    mean = flat(TRAIN).mean(axis=0)
    rows = np.linalg.svd(flat(TRAIN) - mean, full_matrices=False)[2][:latents]
    x = flat(HELD_OUT) - mean
    expected = np.square(x - x @ rows.T @ rows).mean(axis=1)
    # float64 in another order
    assert_allclose(Linear.fit(TRAIN).pca_mse(HELD_OUT, latents), expected, atol=1e-13)


def test_more_latents_than_directions_lose_nothing():
    assert_allclose(Linear.fit(TRAIN).pca_mse(HELD_OUT, 99), 0, atol=1e-13)


@pytest.mark.parametrize("latents", [1, 3, 15])
def test_the_likelihood_is_that_of_the_normal_distribution_of_ppca(latents):
    covariance = np.cov(flat(TRAIN).T, ddof=0)
    values, vectors = np.linalg.eigh(covariance)
    rest = values[:-latents].mean()
    w = vectors[:, -latents:] * np.sqrt(values[-latents:] - rest)
    model = stats.multivariate_normal(flat(TRAIN).mean(axis=0), w @ w.T + rest * np.eye(16))
    found = Linear.fit(TRAIN).log_likelihood(HELD_OUT, latents)
    assert_allclose(found, model.logpdf(flat(HELD_OUT)), rtol=1e-9)  # float64, condition 1e3


def test_there_is_no_likelihood_where_it_is_infinite():
    assert Linear.fit(TRAIN).log_likelihood(HELD_OUT, 16) is None
    two_ways = np.zeros((3, 4, 4, 1), np.uint8)
    two_ways[1, 0], two_ways[2, 1] = 255, 255
    assert Linear.fit(two_ways).log_likelihood(HELD_OUT, 2) is None


def test_the_linear_denoisers_error_is_what_monte_carlo_finds():
    alpha_bar, n = 0.6, 4000
    bar = Linear.fit(TRAIN)
    x0 = 2 * flat(HELD_OUT[:1]) - 1
    eps = np.random.Generator(np.random.Philox(2)).standard_normal((n, 16))
    xt = np.sqrt(alpha_bar) * x0 + np.sqrt(1 - alpha_bar) * eps
    covariance = alpha_bar * 4 * np.cov(flat(TRAIN).T, ddof=0) + (1 - alpha_bar) * np.eye(16)
    # E[eps | xt] of jointly normal eps and xt
    gain = np.sqrt(1 - alpha_bar) * np.linalg.inv(covariance)
    eps_hat = (xt - np.sqrt(alpha_bar) * (2 * bar.mean - 1)) @ gain
    errors = np.square(eps_hat - eps).mean(axis=1)
    found = bar.eps_mse(HELD_OUT[:1], np.array([alpha_bar]))
    same = np.repeat(HELD_OUT[:1], n, axis=0), eps.reshape(n, 4, 4, 1)
    # the same arithmetic in another order
    assert_allclose(bar.eps_errors(*same, np.array([alpha_bar]))[:, 0], errors, rtol=1e-9)
    # four standard errors
    assert abs(found.item() - errors.mean()) < 4 * errors.std() / np.sqrt(n)


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_of_the_pictures_it_was_fit_on_the_error_is_that_of_the_eigenvalues(kind):
    # E (eps_hat - eps)^2 = ab lambda / (ab lambda + 1 - ab), the posterior variance of eps
    bars = schedule.ScheduleTables.from_betas(schedule.betas(kind, 1000)).alpha_bars
    bar = Linear.fit(TRAIN)
    scaled = bars * 4 * bar.variances[:, None]
    expected = (scaled / (scaled + 1 - bars)).mean(axis=0)
    assert_allclose(bar.eps_mse(TRAIN, bars).mean(), expected.mean(), rtol=1e-9)
    for t in (0, 300, 900):
        assert_allclose(bar.eps_mse(TRAIN, bars[[t]]).mean(), expected[t], rtol=1e-9)


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_the_error_of_one_gaussian_is_the_reference_value(kind):
    bars = schedule.ScheduleTables.from_betas(schedule.betas(kind, 1000)).alpha_bars
    golden = GOLDEN["gaussian_diffusion"]
    # 200,000 grey levels of N(mu, std^2) at their quantiles, in [-1, 1]; mu moved from 0.5 to 0,
    # which no error depends on, so that nothing is cut off
    x = golden["data"]["std"] * stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    images = ((x + 1) * 127.5).round().astype(np.uint8).reshape(-1, 1, 1, 1)
    found = Linear.fit(images).eps_mse(images, bars).mean()
    # rounding to 256 levels adds (2/255)^2 / 12 to a variance of 0.04
    assert_allclose(found, golden[f"min_L_simple_uniform_t_{kind}_T1000"], rtol=2e-4)


def test_two_thousand_pictures_bracket_the_error_of_fashion_mnist():
    images, _ = load_named("embedded", "train")
    bars = schedule.ScheduleTables.from_betas(schedule.betas("linear", 1000)).alpha_bars
    golden = FASHION["linear_gaussian_eps_mse_linear_T1000"]
    bar, other = Linear.fit(images[::2]), images[1::2]
    # A Gaussian of so few pictures fits them better than all 60,000, and others worse.
    assert bar.eps_mse(images[::2], bars).mean() < golden["mean_over_t"]
    assert bar.eps_mse(other, bars).mean() > golden["mean_over_t"]
    for t in (10, 100):
        assert bar.eps_mse(images[::2], bars[[t]]).mean() < golden[f"t{t}"]
        assert bar.eps_mse(other, bars[[t]]).mean() > golden[f"t{t}"]


def test_large_pictures_are_fit_by_the_smaller_matrix(monkeypatch):
    small = TRAIN[:12]
    whole = Linear.fit(small)
    monkeypatch.setattr(linear, "LARGEST", 15)
    part = Linear.fit(small)
    assert part.basis.shape == (16, 11)
    assert_allclose(part.variances, whole.variances[:11], rtol=1e-9)
    assert_allclose(part.basis.T @ part.basis, np.eye(11), atol=1e-10)
    bars = np.array([0.9, 0.1])
    assert_allclose(part.eps_mse(HELD_OUT, bars), whole.eps_mse(HELD_OUT, bars), rtol=1e-9)
    eps = np.random.Generator(np.random.Philox(2)).standard_normal(HELD_OUT.shape)
    errors = part.eps_errors(HELD_OUT, eps, bars)
    assert_allclose(errors, whole.eps_errors(HELD_OUT, eps, bars), rtol=1e-9)
    assert_allclose(part.pca_mse(HELD_OUT, 3), whole.pca_mse(HELD_OUT, 3), rtol=1e-9)
