import math

import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose
from scipy import stats

from kgen.errors import KgenError
from kgen.layers import Sampling
from kgen.likelihoods import LIKELIHOODS, Bernoulli, Gaussian, build_likelihood
from kgen.losses import kl_standard_normal
from tests.core.layers.harness import check_layer
from tests.golden.values import FASHION, GOLDEN

pytestmark = pytest.mark.backend

FORMULAS = GOLDEN["vae"]["formulas"]
RAW = np.random.default_rng(0).normal(size=(3, 4, 4, 1)).astype("float32")
X = np.random.default_rng(1).uniform(size=(3, 4, 4, 1)).astype("float32")


def numpy(x) -> np.ndarray:
    return ops.convert_to_numpy(x)


def as_picture(values) -> np.ndarray:
    return np.float32(values).reshape(1, 1, -1, 1)


@pytest.mark.parametrize(
    ("cls", "config"),
    [
        (Bernoulli, {}),
        (Gaussian, {"variance": 0.3, "learned": False, "activation": "sigmoid"}),
        (Gaussian, {"variance": 0.3, "learned": True, "activation": "linear"}),
    ],
)
def test_keeps_the_layer_contract(cls, config):
    check_layer(cls, config, [RAW], float32_output=True)


def test_the_gaussian_log_density_is_golden():
    golden = FORMULAS["gaussian_nll_sum"]
    likelihood = Gaussian(math.exp(golden["logvar"]), activation="linear")
    log_prob = likelihood.log_prob(as_picture(golden["x"]), as_picture(golden["mean"]))
    assert_allclose(numpy(log_prob), [-golden["value"]], rtol=1e-5)  # float32, terms of size 1


def test_the_gaussian_mean_is_the_sigmoid_of_the_raw_output():
    likelihood = Gaussian(0.2)
    mean = 1 / (1 + np.exp(-RAW.astype("float64")))
    assert_allclose(numpy(likelihood.mean(RAW)), mean, rtol=1e-6)  # float32
    expected = stats.norm.logpdf(X, mean, math.sqrt(0.2)).sum(axis=(1, 2, 3))
    assert_allclose(numpy(likelihood.log_prob(X, RAW)), expected, rtol=1e-5)


def test_the_bernoulli_cross_entropy_is_golden():
    golden = FORMULAS["bernoulli_nll_sum"]
    x, raw = as_picture(golden["x"]), as_picture(golden["logits"])
    assert_allclose(numpy(Bernoulli().mean(raw)).ravel(), golden["p"], rtol=1e-6)
    assert_allclose(numpy(Bernoulli().log_prob(x, raw)), [-golden["value"]], rtol=1e-6)


def test_grey_pixels_leave_the_bernoulli_their_entropy():
    golden = FORMULAS["bernoulli_nll_sum"]
    x = np.clip(np.array(golden["x"]), 1e-9, 1 - 1e-9)
    best = Bernoulli().log_prob(as_picture(golden["x"]), as_picture(np.log(x / (1 - x))))
    assert_allclose(numpy(best), [-golden["minimum_over_p"]], rtol=1e-6)  # float32


def test_bits_per_dim_are_golden():
    golden = FORMULAS["bits_per_dim"]
    arguments = -golden["nats_per_image"], golden["dims"]
    assert_allclose(Gaussian(1.0).bits_per_dim(*arguments), golden["x_in_0_1"], rtol=1e-12)
    assert_allclose(Bernoulli().bits_per_dim(*arguments), golden["x_in_0_255"], rtol=1e-12)


def test_a_learned_variance_is_best_at_the_mean_squared_error():
    mse = float(np.mean((X - 1 / (1 + np.exp(-RAW))) ** 2))
    at = {s: numpy(Gaussian(s * mse).log_prob(X, RAW)).mean() for s in (0.9, 1.0, 1.1)}
    assert max(at, key=lambda s: at[s]) == 1.0


def test_only_a_learned_variance_is_trainable():
    assert len(Gaussian(0.5, learned=True).trainable_variables) == 1
    assert Gaussian(0.5).trainable_variables == []
    assert_allclose(numpy(Gaussian(0.5).log_variance.value), math.log(0.5), rtol=1e-7)


def test_half_precision_pictures_and_outputs_are_computed_in_float32():
    x, raw = (ops.cast(a, "bfloat16") for a in (X, RAW))
    for name in LIKELIHOODS:
        likelihood = build_likelihood(name, variance=0.1)
        log_prob = likelihood.log_prob(x, raw)
        assert keras.backend.standardize_dtype(log_prob.dtype) == "float32"
        exact = likelihood.log_prob(ops.cast(x, "float32"), ops.cast(raw, "float32"))
        assert_allclose(numpy(log_prob), numpy(exact), rtol=1e-6)


@pytest.mark.parametrize("raw", [-1e4, 1e4])
def test_sure_decoders_overflow_nothing(raw):
    for name in LIKELIHOODS:
        log_prob = build_likelihood(name, 0.1).log_prob(X, np.full_like(X, raw))
        assert np.all(np.isfinite(numpy(log_prob)))


def test_wrong_arguments_are_refused():
    for variance in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="Received: variance="):
            Gaussian(variance)
    with pytest.raises(ValueError, match="Received: activation='tanh'"):
        Gaussian(activation="tanh")
    with pytest.raises(KgenError, match="Did you mean 'gaussian'"):
        build_likelihood("gausian", 0.1)


# A linear VAE is probabilistic PCA (Tipping & Bishop 1999; Lucas et al. 2019): its best ELBO is a
# log-likelihood in closed form. Everything is quadratic there, so expectations over data N(0, S)
# and over q(z|x) are means over "sigma points" that share their mean and covariance, exactly.

COVARIANCE = np.array(GOLDEN["vae"]["toy_covariance_6x6"])
EIGENVALUES, EIGENVECTORS = (a[..., ::-1] for a in np.linalg.eigh(COVARIANCE))


def sigma_points(covariance: np.ndarray) -> np.ndarray:
    """Return 2d equally likely points (2d, d) with mean 0 and that covariance."""
    root = np.linalg.cholesky(covariance) * math.sqrt(len(covariance))
    return np.concatenate([root.T, -root.T])


def linear_vae(weights: np.ndarray, x: np.ndarray, variance: float):
    """Encode x exactly: mean (n, q) and logvar (n, q) of p(z|x) for orthogonal columns W."""
    squares = np.sum(weights * weights, axis=0)
    mean = x @ weights / (squares + variance)
    return mean, np.broadcast_to(np.log(variance / (squares + variance)), mean.shape)


def expected_terms(weights: np.ndarray, x: np.ndarray, likelihood: Gaussian, variance: float):
    """Return E log p(x|z) and KL, nats per sample, computed by kgen's own functions."""
    q = weights.shape[1]
    eps = sigma_points(np.eye(q)).astype("float32")
    mean, logvar = (np.float32(a) for a in linear_vae(weights, x, variance))
    every_mean, every_logvar = (np.repeat(a, len(eps), axis=0) for a in (mean, logvar))
    z = Sampling()(every_mean, every_logvar, np.tile(eps, (len(x), 1)))
    pictures = np.repeat(x, len(eps), axis=0).astype("float32").reshape(len(x) * len(eps), -1, 1, 1)
    raw = ops.reshape(ops.matmul(z, weights.T.astype("float32")), pictures.shape)
    return (
        numpy(likelihood.log_prob(pictures, raw)).mean(),
        numpy(kl_standard_normal(mean, logvar)).mean(),
    )


def best_weights(variance: float, latents: int) -> np.ndarray:
    """Write the best linear decoder (6, latents): principal axes whose variance exceeds it."""
    gain = np.sqrt(np.maximum(EIGENVALUES[:latents] - variance, 0))
    return EIGENVECTORS[:, :latents] * gain


@pytest.mark.parametrize("latents", [1, 2, 3])
def test_a_linear_vaes_elbo_is_the_log_likelihood_of_probabilistic_pca(latents):
    golden = GOLDEN["vae"]["toy"][f"q{latents}"]
    variance = golden["sigma2_ml"]
    x = sigma_points(COVARIANCE)
    weights = best_weights(variance, latents)
    likelihood = Gaussian(variance, learned=True, activation="linear")
    reconstruction, kl = expected_terms(weights, x, likelihood, variance)
    # float32 sums of terms of size 10
    assert_allclose(reconstruction, golden["elbo_recon_nats"], rtol=1e-5)
    assert_allclose(kl, golden["elbo_kl_nats"], rtol=1e-5)
    assert_allclose(reconstruction - kl, golden["loglik_nats_per_sample"], rtol=1e-5)


@pytest.mark.parametrize("latents", [1, 2, 3])
def test_the_means_of_a_linear_vae_vary_as_the_golden_active_units(latents):
    golden = GOLDEN["vae"]["toy"][f"q{latents}"]
    variance = golden["sigma2_ml"]
    mean, _ = linear_vae(best_weights(variance, latents), sigma_points(COVARIANCE), variance)
    assert_allclose(mean.var(axis=0), golden["active_units_statistic"], rtol=1e-9)


def test_with_the_exact_posterior_every_sample_weighs_the_same():
    variance = GOLDEN["vae"]["toy"]["q2"]["sigma2_ml"]
    weights, x = best_weights(variance, 2), sigma_points(COVARIANCE)[:1]
    mean, logvar = linear_vae(weights, x, variance)
    z = mean + np.exp(logvar / 2) * np.random.default_rng(0).normal(size=(64, 2))
    raw = np.float32(z @ weights.T).reshape(64, 6, 1, 1)
    pictures = np.float32(np.repeat(x, 64, axis=0)).reshape(64, 6, 1, 1)
    log_prob = numpy(Gaussian(variance, activation="linear").log_prob(pictures, raw))
    prior = stats.norm.logpdf(z).sum(1)
    posterior = stats.norm.logpdf(z, mean, np.exp(logvar / 2)).sum(1)
    marginal = stats.multivariate_normal.logpdf(
        x[0], cov=weights @ weights.T + variance * np.eye(6)
    )
    # log p(x) = log p(x|z) + log p(z) - log q(z|x) for every z; float32 terms of size 10
    assert_allclose(log_prob + prior - posterior, np.full(64, marginal), rtol=2e-5)


@pytest.mark.parametrize("s_eff", [0.05, 0.5, 2.0, 20.0])
def test_a_fixed_variance_decides_how_many_latents_are_used(s_eff):
    golden = GOLDEN["vae"]["toy_fixed_variance_or_beta (3 latents)"][f"s_eff={s_eff:g}"]
    weights = best_weights(s_eff, 3)
    assert np.sum(np.any(weights != 0, axis=0)) == golden["n_active"]
    likelihood = Gaussian(s_eff, activation="linear")
    log_prob, kl = expected_terms(weights, sigma_points(COVARIANCE), likelihood, s_eff)
    assert_allclose(kl, golden["kl_nats"], rtol=1e-5, atol=1e-6)  # float32
    # -2 s log p(x|z) is the squared error but for the normalisation: "SSE + 2 s KL"
    loss = -2 * s_eff * (log_prob - kl) - s_eff * 6 * math.log(2 * math.pi * s_eff)
    assert_allclose(loss, golden["min_of_sse_plus_2s_kl"], rtol=2e-5)


def test_averaging_the_error_over_pixels_collapses_every_latent():
    # A mean over D pixels, plus KL, is a Gaussian of variance D / 2. Give the latent the most it
    # could explain: all the variance of Fashion-MNIST in a single direction.
    pixels = 784
    total = FASHION["total_variance_per_pixel"]["train"] * pixels
    direction = np.zeros((pixels, 1))
    direction[0] = 1.0
    x = np.sqrt(total) * np.concatenate([direction.T, -direction.T])

    def best_gain(variance: float) -> float:
        likelihood = Gaussian(variance, activation="linear")
        gains = np.linspace(0.0, 12.0, 25)
        elbos = [
            np.subtract(*expected_terms(gain * direction, x, likelihood, variance))
            for gain in gains
        ]
        return gains[int(np.argmax(elbos))]

    assert total < pixels / 2
    assert best_gain(pixels / 2) == 0.0
    # the sum over pixels, a Gaussian of variance 1/2, uses the latent: gain = sqrt(total - 1/2)
    assert abs(best_gain(0.5) - math.sqrt(total - 0.5)) <= 0.25
