"""Short runs on the embedded pictures beat what linear models can do at best."""

import keras
import numpy as np
import pytest
from keras import ops

from kgen import noise, run_config
from kgen.networks import call
from kgen.training import prepare
from tests.golden.values import FASHION

pytestmark = pytest.mark.backend


def learn(family, steps, **overrides):
    """Train a family on the embedded pictures; return its set-up and the held-out pictures."""
    keys = {key.replace("__", "."): value for key, value in overrides.items()}
    config = run_config.resolve(family, overrides={"training.steps": steps, **keys})
    setup = prepare(config)
    per_epoch = setup.batches.steps_per_epoch
    batches = [setup.batches.batch(*divmod(step, per_epoch)) for step in range(steps)]
    images, labels = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    size = config.training.batch_size
    setup.model.fit(images, labels, batch_size=size, shuffle=False, verbose=0)
    return setup, setup.held_out()[0]


def flat(images):
    """Pictures as vectors, float64 (n, pixels) in [0, 1]."""
    return images.reshape(len(images), -1).astype(np.float64) / 255


def training_pictures(setup):
    return setup.train.images.gather(np.arange(len(setup.train.images)))


def pca_error(train, test, components):
    """Mean squared error per pixel of held-out pictures rebuilt from the best linear code."""
    mean = train.mean(axis=0)
    basis = np.linalg.svd(train - mean, full_matrices=False)[2][:components]
    centred = test - mean
    return np.mean((centred - centred @ basis.T @ basis) ** 2)


def test_a_vae_rebuilds_held_out_pictures_better_than_pca_of_as_many_latents():
    setup, images = learn(
        "vae", 400, model__network="mlp", model__latent_dim=2, model__likelihood="gaussian_learned"
    )
    train, test = flat(training_pictures(setup)), flat(images)
    error = np.mean((flat(setup.model.reconstruct(images)) - test) ** 2)
    mean_image = np.mean((train.mean(axis=0) - test) ** 2)
    assert error < 0.9 * pca_error(train, test, 2)
    assert error < 0.5 * mean_image


@pytest.mark.parametrize("t", [10, 50, 100])
def test_a_ddpm_denoises_better_than_the_best_linear_denoiser(denoiser, t):
    model, images = denoiser
    x0 = model.scale(ops.convert_to_tensor(images))
    eps = ops.convert_to_tensor(noise.normal(1, images.shape))
    ts = ops.full((len(images),), t, dtype="int32")
    xt = model.schedule.q_sample(x0, ts, eps)
    prediction = call(model.ema_denoiser, False, xt=xt, t=ts)
    _, eps_hat = model.schedule.x0_eps("v", prediction, xt, ts)
    error = ops.convert_to_numpy(ops.mean(ops.square(eps_hat - eps))).item()
    # Of Gaussian data with the covariance of all of Fashion-MNIST; after 200 steps the network is
    # still above it at larger t, where there is less to gain on it.
    assert error < FASHION["linear_gaussian_eps_mse_linear_T1000"][f"t{t}"]


@pytest.fixture(scope="module")
def denoiser():
    """A denoiser after 200 steps on the paper's schedule."""
    keras.utils.set_random_seed(0)
    setup, images = learn("ddpm", 200, model__schedule="linear", optimizer__decay="constant")
    return setup.model, images


def test_neither_player_of_a_gan_wins_outright():
    setup, images = learn("gan", 150)
    model = setup.model
    z = ops.convert_to_tensor(noise.normal(1, (len(images), model.settings.latent_dim)))
    fake = call(model.generator, False, z=z)
    real = model.scale(ops.convert_to_tensor(images))
    logits = [
        ops.convert_to_numpy(call(model.discriminator, False, image=pictures))
        for pictures in (real, fake)
    ]
    # Of all pairs of a real and a fake picture, since the default discriminator judges those, it
    # should get some wrong and some right: half of them at the equilibrium.
    right = (logits[0] > logits[1].T).mean()
    assert 0.25 < right < 0.99
