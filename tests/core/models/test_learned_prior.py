"""A VAE whose prior is a flow: its bound, and the standard normal latents that users deal in."""

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

from kgen import models
from kgen.networks import call
from kgen.noise import normal
from tests.core import tiny

pytestmark = pytest.mark.backend

SHAPE, LATENT, N = (16, 16, 1), 6, 8


def build(folder, prior="flow"):
    config = tiny.config(
        "vae", folder, model__prior=prior, model__latent_dim=LATENT, model__flow_depth=4,
        model__flow_width=8, model__likelihood="gaussian_learned",
    )  # fmt: skip
    return models.build(config, SHAPE)


def bend(model):
    """Give the flow random weights, and the encoder's log-variance a bias."""
    for stream, variable in enumerate(model.prior.trainable_variables):
        variable.assign(0.3 * normal(3, tuple(variable.shape), stream=stream))
    model.encoder.get_layer("logvar").bias.assign(normal(4, (LATENT,)) - 2.0)
    return model


@pytest.fixture
def model(tmp_path):
    return bend(build(tmp_path))


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def test_a_new_flow_has_the_bound_of_the_plain_vae_on_average(tmp_path):
    plain, learned = build(tmp_path, "normal"), build(tmp_path)
    for name in ("encoder", "decoder"):
        getattr(learned, name).set_weights(getattr(plain, name).get_weights())
    n = 400
    x = plain.scale(np.repeat(tiny.pictures(1), n, axis=0))
    eps = normal(1, (n, LATENT))
    exact = plain.loss_and_logs(x, None, {"eps": eps}, False)[1]
    estimate = learned.loss_and_logs(x, None, {"eps": eps}, False)[1]
    assert_allclose(numpy(estimate["reconstruction"]), numpy(exact["reconstruction"]), rtol=1e-6)
    # Each estimate has a variance of (1/2) sum(eps^2 - 1)^2 = L / 2 plus that of mean * eps, where
    # the variance of q is 1, as it is before training; 4 standard errors.
    mean = numpy(call(plain.encoder, False, image=x)["mean"])[0]
    error = np.sqrt((LATENT / 2 + np.sum(mean**2)) / n)
    assert abs(numpy(estimate["kl"]) - numpy(exact["kl"])) < 4 * error
    assert_allclose(numpy(estimate["elbo"] + estimate["loss"]), 0.0, atol=1e-3)  # 1e-7 of 1e4


def test_latents_of_pictures_decode_to_their_reconstructions(model):
    images = tiny.pictures(N)
    mean, _ = model.posterior(images)
    latents = model.embed(images)
    assert np.abs(latents - mean).max() > 0.1
    assert_allclose(numpy(model.prior.from_noise(latents)), mean, atol=1e-5)  # float32
    raw = call(model.decoder, False, z=ops.convert_to_tensor(mean))
    expected = 255 * numpy(model.likelihood.mean(raw))
    # a whole grey level, and half of one for rounding
    assert np.abs(model.reconstruct(images) - expected).max() <= 0.51


def test_pictures_are_drawn_from_standard_normal_noise_through_the_flow(model):
    z = model.prior.from_noise(normal(7, (N, LATENT)))
    expected = 255 * numpy(model.likelihood.mean(call(model.decoder, False, z=z)))
    assert np.abs(model.generate(N, seed=7) - expected).max() <= 0.51


def test_variations_are_draws_of_the_posterior(model):
    image = tiny.pictures(1)[0]
    mean, logvar = model.posterior(image[None])
    z = mean + np.exp(logvar / 2) * normal(5, (N, LATENT))
    raw = call(model.decoder, False, z=ops.convert_to_tensor(z.astype("float32")))
    expected = 255 * numpy(model.likelihood.mean(raw))
    assert np.abs(model.variations(image, N, seed=5) - expected).max() <= 0.51


def test_what_is_exported_is_what_users_get(model):
    images = tiny.pictures(N)
    code = model.code(model.scale(ops.convert_to_tensor(images)))
    assert tuple(code) == model.codes == ("mean",)
    assert_allclose(numpy(code["mean"]), model.embed(images), atol=1e-5)  # float32
    picture = numpy(model.picture(normal(7, (N, LATENT))))
    assert np.abs(model.generate(N, seed=7) - 255 * picture).max() <= 0.51


def test_the_flow_learns_and_is_saved_with_the_model(model, tmp_path):
    optimized = {id(v) for v in model.optimized()["model"]}
    flow = model.prior.trainable_variables
    assert len(flow) == 4 * 8
    assert {id(v) for v in flow} <= optimized
    assert model.trained_parts["prior"] is model.prior.flow
    path = tmp_path / "model.keras"
    models.save(model, path)
    loaded = models.load_file(path, "vae")
    z = normal(1, (N, LATENT))
    assert_array_equal(numpy(loaded.log_prior(z)), numpy(model.log_prior(z)))
    assert_array_equal(loaded.generate(N, seed=1), model.generate(N, seed=1))
