"""The numbers of autoencoders against probabilistic PCA, where all of them are closed forms."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from numpy.testing import assert_allclose
from scipy import stats

from kgen.evaluation.diagnostics import vae
from kgen.evaluation.diagnostics.linear import Linear
from kgen.likelihoods import Gaussian
from kgen.models.autoencoder import VAE, Autoencoder
from tests.core.evaluation.test_linear import correlated

pytestmark = pytest.mark.backend

SHAPE, LATENTS = (4, 4, 1), 3
TRAIN, HELD_OUT = correlated(600), correlated(64, seed=1)
LINEAR = Linear.fit(TRAIN)
KEPT = LINEAR.variances[:LATENTS]
REST = LINEAR.variances[LATENTS:].sum() / (16 - LATENTS)


def dense(weights, bias, name):
    """Make a layer that multiplies by fixed weights (inputs, outputs)."""
    layer = layers.Dense(weights.shape[1], name=name)
    layer.build((None, weights.shape[0]))
    layer.set_weights([weights.astype(np.float32), np.asarray(bias, np.float32)])
    return layer


def linear_networks(model, encoding, decoding, logvar):
    """Replace a model's networks by mean = (x - average) encoding, x_hat = average + z decoding."""
    image, z = keras.Input(SHAPE, name="image"), keras.Input((LATENTS,), name="z")
    flat = layers.Flatten()(image)
    code = {
        "mean": dense(encoding, -LINEAR.mean @ encoding, "mean")(flat),
        "logvar": dense(np.zeros((16, LATENTS)), logvar, "logvar")(flat),
    }
    picture = layers.Reshape(SHAPE)(dense(decoding, LINEAR.mean, "pixels")(z))
    model.built = False
    model.encoder = keras.Model({"image": image}, code)
    model.decoder = keras.Model({"z": z}, picture)
    model.likelihood = Gaussian(float(REST), activation="linear", name="likelihood")
    model.built = True
    return model


def ppca(spread=1.0, kind=VAE):
    """Build the best linear VAE; `spread` times its posterior's variance, 1 is exact."""
    u = LINEAR.basis[:, :LATENTS]
    w = u * np.sqrt(KEPT - REST)
    model = kind({"network": "mlp", "latent_dim": LATENTS}, SHAPE)
    logvar = np.log(spread * REST / KEPT)
    return linear_networks(model, w / KEPT, w.T, logvar)


def test_with_the_exact_posterior_every_draw_gives_the_likelihood():
    found = vae.examine(ppca(), HELD_OUT, TRAIN, importance_samples=3)
    expected = LINEAR.log_likelihood(HELD_OUT, LATENTS)
    for name in ("elbo", "iwae"):
        # float32 terms of size 100
        assert_allclose(found.values[name].value, expected.mean(), atol=1e-4)
        assert_allclose(found.values[name].bar, expected.mean(), atol=1e-9)
        assert_allclose(found.values[name].sd, expected.std(ddof=1) / 8, rtol=1e-4)
    bits = -expected.mean() / (16 * np.log(2)) + 8
    assert_allclose(found.values["bits_per_dim"].value, bits, atol=1e-5)
    assert_allclose(found.values["iwae_bits_per_dim"].bar, bits, atol=1e-9)


@pytest.mark.parametrize("spread", [0.5, 1.6])
def test_another_posterior_costs_its_divergence_and_many_draws_win_it_back(spread):
    k = 16
    found = vae.examine(ppca(spread), HELD_OUT, TRAIN, importance_samples=k).values
    expected = LINEAR.log_likelihood(HELD_OUT, LATENTS).mean()
    # log w = log p(x) - log q / p(z|x), a function of chi^2 numbers, drawn here by NumPy
    squares = np.random.Generator(np.random.Philox(3)).chisquare(LATENTS, (40_000, k))
    log_w = -0.5 * (spread - 1) * squares + LATENTS / 2 * np.log(spread)
    bounds = np.log(np.exp(log_w).mean(axis=1))
    draws = len(HELD_OUT) * k
    divergence = LATENTS / 2 * (spread - 1 - np.log(spread))
    # four standard errors of the draws; the pictures add none, since log w - log p(x) is theirs
    assert_allclose(
        found["elbo"].value, expected - divergence, atol=4 * log_w.std() / np.sqrt(draws)
    )
    error = np.hypot(bounds.std() / 8, bounds.std() / 200)
    assert_allclose(found["iwae"].value, expected + bounds.mean(), atol=4 * error)
    assert found["elbo"].value < found["iwae"].value


def test_the_nats_of_each_latent_are_half_the_log_of_its_variance_over_the_noise():
    # On the pictures it was fit on: Tipping & Bishop's posterior adds up to N(0, I) exactly.
    found = vae.examine(ppca(), TRAIN, TRAIN, importance_samples=1)
    line = found.series["latent_kl"]
    assert line.x == ("0", "1", "2")
    assert_allclose(line.lines["model"], 0.5 * np.log(KEPT / REST), rtol=1e-4)  # float32
    # active: 1 - s2 / lambda > 0.01
    assert found.values["active_units"].value == np.sum(1 - REST / KEPT > 0.01) == LATENTS
    assert found.values["active_units"].sd == 0.0


def test_a_linear_autoencoder_rebuilds_as_pca_does():
    u = LINEAR.basis[:, :LATENTS]
    model = Autoencoder({"network": "mlp", "latent_dim": LATENTS}, SHAPE)
    centred = HELD_OUT.reshape(-1, 16) / 255 - LINEAR.mean
    rebuilt = LINEAR.mean + centred @ u @ u.T
    inside = np.all((rebuilt > 0) & (rebuilt < 1), axis=1)  # nothing is cut off at black and white
    assert inside.sum() > 30
    linear_networks(model, u, u.T, np.zeros(LATENTS))
    found = vae.examine(model, HELD_OUT[inside], TRAIN)
    value = found.values["reconstruction_mse"]
    # rounding to grey levels adds 1/255^2 / 12 = 1.3e-6, more or less as the rounding falls: each
    # of its 500 or more products with an error of sd 0.05 has sd 6e-5, their mean 2.5e-6, twice it
    assert_allclose(value.value, value.bar, atol=1.3e-6 + 2 * 4 * 2.5e-6)
    assert 0 < value.sd < value.value
    assert set(found.values) == {"reconstruction_mse", "active_units", "latent_fit"}
    assert set(found.series) == {"latent_histogram"}
    assert any("autoencoder does not ask" in sentence for sentence in found.warnings)


def test_reconstructions_are_shown_beside_their_pictures():
    shown = vae.examine(ppca(), HELD_OUT, TRAIN, importance_samples=1).pictures["reconstructions"]
    assert shown.shape == (32, *SHAPE)
    np.testing.assert_array_equal(shown[[0, -2]], HELD_OUT[[0, -1]])
    average = (255 * LINEAR.mean).reshape(SHAPE)
    errors = np.square(shown.astype(float) - average)
    # means shrink towards the average picture, and PCA drops what is left
    assert errors[1::2].mean() < errors[::2].mean()


def test_the_kolmogorov_distance_is_scipys():
    rng = np.random.Generator(np.random.Philox(4))
    columns = rng.standard_normal((200, 3)) * [1, 2, 0.1] + [0, 0, 3]
    expected = [stats.kstest(column, "norm").statistic for column in columns.T]
    assert_allclose(vae.kolmogorov(columns), expected, rtol=1e-12)


def test_latents_that_fit_do_so_as_well_as_draws_from_the_normal_distribution():
    found = vae.examine(ppca(), TRAIN, TRAIN, importance_samples=1)
    fit = found.values["latent_fit"]
    # Kolmogorov's law: a distance beyond 1.95 / sqrt(n) has probability 0.001, for each latent
    assert fit.value < 1.95 / np.sqrt(len(TRAIN))
    assert 0.02 < fit.bias < 1.95 / np.sqrt(len(TRAIN))
    assert not any("N(0, 1)" in sentence for sentence in found.warnings)
    histogram = found.series["latent_histogram"]
    width = histogram.x[1] - histogram.x[0]
    for line in histogram.lines.values():
        assert_allclose(np.sum(line) * width, 1, atol=0.005)  # a few of 1,800 lie beyond the ends


class Shifted(VAE):
    """A VAE whose z = 3 u + 1 with u ~ N(0, I): another prior, and `decode` takes u."""

    def log_prior(self, z):
        return super().log_prior((z - 1) / 3) - LATENTS * np.log(3.0)

    def to_noise(self, z):
        return (z - 1) / 3

    def decode(self, z, progress=None):
        return super().decode(3 * z + 1, progress)


def test_another_prior_changes_nothing_where_posterior_and_decoder_follow_it():
    u = LINEAR.basis[:, :LATENTS]
    w = u * np.sqrt(KEPT - REST)
    model = Shifted({"network": "mlp", "latent_dim": LATENTS}, SHAPE)
    logvar = np.log(9 * REST / KEPT)
    linear_networks(model, 3 * w / KEPT, w.T / 3, logvar)
    mean = model.encoder.get_layer("mean")
    mean.set_weights([mean.get_weights()[0], mean.get_weights()[1] + 1])
    pixels = model.decoder.get_layer("pixels")
    kernel, bias = pixels.get_weights()
    pixels.set_weights([kernel, bias - kernel.sum(axis=0)])
    found = vae.examine(model, HELD_OUT, TRAIN, importance_samples=2)
    plain = vae.examine(ppca(), HELD_OUT, TRAIN, importance_samples=2)
    for name in ("elbo", "iwae", "latent_fit"):
        assert_allclose(found.values[name].value, plain.values[name].value, atol=2e-4)  # float32
    bars, expected = (f.series["latent_kl"].lines["model"] for f in (found, plain))
    assert_allclose(bars, expected, atol=1e-4)
    rebuilt, expected = (f.pictures["reconstructions"].astype(int) for f in (found, plain))
    assert np.abs(rebuilt - expected).max() <= 1  # a float32 beside the middle of two levels


def test_a_posterior_beside_the_prior_is_told():
    model = ppca()
    mean = model.encoder.get_layer("mean")
    mean.set_weights([mean.get_weights()[0], mean.get_weights()[1] + [0, 1, 0]])
    found = vae.examine(model, TRAIN, TRAIN, importance_samples=1)
    # sup |Phi(x) - Phi(x - 1)| = 2 Phi(1/2) - 1; Kolmogorov's law as above
    expected = 2 * stats.norm.cdf(0.5) - 1
    assert_allclose(found.values["latent_fit"].value, expected, atol=1.95 / np.sqrt(len(TRAIN)))
    (said,) = (sentence for sentence in found.warnings if sentence.startswith("Latent 1 "))
    assert "train longer" in said


def test_latents_that_fit_in_the_training_pictures_only_are_told_from_untrained_ones():
    means, _ = ppca().posterior(TRAIN)
    found = vae.examine(ppca(), TRAIN[means[:, 0] > 0], TRAIN, importance_samples=1)
    (said,) = (sentence for sentence in found.warnings if sentence.startswith("Latent 0 "))
    assert "Train on more pictures, or for fewer epochs" in said


def test_a_collapsed_vae_is_told():
    model = ppca()
    for part, name in ((model.encoder, "mean"), (model.decoder, "pixels")):
        layer = part.get_layer(name)
        layer.set_weights([0 * layer.get_weights()[0], layer.get_weights()[1]])
    mean = model.encoder.get_layer("mean")
    mean.set_weights([w * 0 for w in mean.get_weights()])
    found = vae.examine(model, HELD_OUT, TRAIN, importance_samples=1)
    assert found.values["active_units"].value == 0
    said = " ".join(found.warnings)
    for part in ("No latent depends", "worse", "below what the best linear model"):
        assert part in said


def test_bounds_that_overflow_are_left_out_and_told():
    model = ppca()
    model.likelihood.log_variance.assign(ops.convert_to_tensor(-200.0))
    found = vae.examine(model, HELD_OUT, TRAIN, importance_samples=2)
    assert not {"elbo", "iwae", "bits_per_dim", "iwae_bits_per_dim"} & set(found.values)
    assert {"elbo", "iwae"} <= {sentence.split()[0] for sentence in found.warnings}
    assert np.isfinite(found.values["reconstruction_mse"].value)


def test_the_same_seed_finds_the_same_and_progress_is_told():
    told = []
    first = vae.examine(
        ppca(1.5), HELD_OUT, TRAIN, seed=5, importance_samples=2,
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    again = vae.examine(ppca(1.5), HELD_OUT, TRAIN, seed=5, importance_samples=2)
    other = vae.examine(ppca(1.5), HELD_OUT, TRAIN, seed=6, importance_samples=2)
    assert first.values == again.values
    assert first.values["elbo"] != other.values["elbo"]
    assert told == [(64, 128), (128, 128)]
