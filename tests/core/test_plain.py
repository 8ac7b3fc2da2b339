"""The plain PyTorch networks that kgen's speed is measured against are the same networks."""

import numpy as np
import pytest

from kgen.noise import normal
from tests.core import tiny
from tests.core.test_benchmarks import BATCH, CASES, MLP, noise

pytestmark = pytest.mark.backend

PLAIN = {
    "gan": {**CASES["gan"]},
    "vae-notes": {
        "family": "vae",
        **MLP,
        "model__likelihood": "bernoulli",
        "model__prior": "normal",
    },
}


def made(case, folder, **setting):
    """Prepare kgen's training, and the plain loop on copies of its weights."""
    from benchmarks import plain
    from benchmarks.handwritten import Recipe
    from benchmarks.plain.loop import Setting
    from kgen import training

    overrides = dict(PLAIN[case])
    config = tiny.config(overrides.pop("family"), folder, **overrides)
    ours = training.prepare(config)
    recipe = Recipe.of(config, ours.plan.ema_decay, ours.plan.total_steps, compiled=False)
    return config, ours, plain.build(case, ours.model, recipe, Setting(**setting))


@pytest.mark.parametrize("case", PLAIN)
def test_a_plain_network_has_as_many_trained_parameters(case, tmp_path):
    _, ours, theirs = made(case, tmp_path)
    networks = (theirs.g, theirs.d) if case == "gan" else (theirs.network,)
    count = sum(p.numel() for network in networks for p in network.parameters())
    assert count == sum(int(np.prod(v.shape)) for v in ours.model.trainable_variables)


def test_a_plain_gans_networks_compute_the_same(tmp_path):
    import keras
    import torch

    _, ours, theirs = made("gan", tmp_path)
    z = normal(3, (BATCH, ours.model.settings.latent_dim))
    drawn = ours.model.generator({"z": keras.ops.convert_to_tensor(z)}, training=True)
    judged = ours.model.discriminator({"image": drawn}, training=True)
    with torch.no_grad():
        fake = theirs.g(torch.from_numpy(z))
        logits = theirs.d(fake)
    # float32, a few layers: rounding of sums in another order, 1e-6, with room.
    for mine, other in ((drawn, fake.permute(0, 2, 3, 1)), (judged, logits)):
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(keras.ops.stop_gradient(mine)), other.numpy(), atol=1e-4
        )


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("case", PLAIN)
def test_a_plain_loop_computes_the_same_losses(case, channels_last, tmp_path):
    import keras

    config, ours, theirs = made(case, tmp_path, channels_last=channels_last)
    fixed = noise(config.family, config)
    ours.model.draw = lambda batch_size, seed: {
        name: keras.ops.convert_to_tensor(value) for name, value in fixed.items()
    }
    for step in range(2):
        batch = ours.batches.batch(0, step)
        fit = ours.model.fit((batch for _ in range(1)), steps_per_epoch=1, verbose=0, shuffle=False)
        for name, loss in theirs.step(batch[0], fixed).items():
            # PyTorch's Adam adds epsilon after a correction, Keras's before: at the first step,
            # 30 times more of 1e-7. Gradients of 1e-4 and more move the same to 1e-3.
            np.testing.assert_allclose(
                fit.history[name][0], float(loss), rtol=1e-4 if step else 2e-5
            )
