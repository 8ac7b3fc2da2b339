"""The plain PyTorch networks that kgen's speed is measured against are the same networks."""

import numpy as np
import pytest

from kgen.noise import normal
from tests.core import tiny
from tests.core.test_benchmarks import ADAM, BATCH, CASES, MLP, noise

pytestmark = pytest.mark.backend

PLAIN = {
    # Levels that read 2, 1 and 1 pixels: the greater half of an odd side remains.
    "gan": CASES["gan"] | {"model__discriminator_widths": [8, 8, 8, 8, 8]},
    "gan-relativistic": CASES["gan-relativistic"],
    # Colours: with one channel, blocks of pixels are in the same order everywhere.
    "vae": {"family": "vae", "data__channels": 3, **ADAM},
    "vae-notes": {
        "family": "vae",
        **MLP,
        "model__likelihood": "bernoulli",
        "model__prior": "normal",
    },
    "ddpm": {
        "family": "ddpm",
        "data__channels": 3,
        **ADAM,
        "optimizer__warmup_steps": 0,
        "optimizer__ema_decay": 0.9,
        # Below the gradient's norm, so that it is clipped.
        "optimizer__clip_norm": 0.1,
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
    stir(ours.model)
    recipe = Recipe.of(config, ours.plan.ema_decay, ours.plan.total_steps, compiled=False)
    network = case.removesuffix("-relativistic")
    return config, ours, plain.build(network, ours.model, recipe, Setting(**setting))


def stir(model):
    """Move every weight: some layers start at zero, and would hide what they are fed."""
    import keras

    for number, variable in enumerate(model.trainable_variables):
        moved = keras.ops.convert_to_numpy(variable) + 0.1 * normal(number, variable.shape)
        variable.assign(moved)
    for network, twin in model.averages:
        twin.set_weights(network.get_weights())


def networks(theirs):
    """List the networks of a plain loop."""
    return (theirs.g, theirs.d) if hasattr(theirs, "g") else (theirs.network,)


def steps(config, ours, theirs, count):
    """Train both on the same pictures and noise; returns pairs of losses, step by step."""
    import keras

    fixed = noise(config.family, config)
    ours.model.draw = lambda batch_size, seed: {
        name: keras.ops.convert_to_tensor(value) for name, value in fixed.items()
    }
    for step in range(count):
        batch = ours.batches.batch(0, step)
        fit = ours.model.fit((batch for _ in range(1)), steps_per_epoch=1, verbose=0, shuffle=False)
        losses = theirs.step(batch[0], fixed)
        yield [(fit.history[name][0], float(loss)) for name, loss in losses.items()]


def assert_near(mine, other):
    """Compare a tensor of Keras's with one of PyTorch's."""
    import keras

    array = keras.ops.convert_to_numpy(keras.ops.stop_gradient(mine))
    # Zeros would agree whatever the layers before them do.
    assert array.std() > 1e-2
    # float32, a few layers: rounding of sums in another order, 1e-6, with room.
    np.testing.assert_allclose(array, other.numpy(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("case", PLAIN)
def test_a_plain_network_has_as_many_trained_parameters(case, tmp_path):
    _, ours, theirs = made(case, tmp_path)
    count = sum(p.numel() for network in networks(theirs) for p in network.parameters())
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
    assert_near(drawn, fake.permute(0, 2, 3, 1))
    assert_near(judged, logits)


def test_a_plain_vaes_networks_compute_the_same(tmp_path):
    import keras
    import torch

    _, ours, theirs = made("vae", tmp_path)
    image, z = normal(3, (BATCH, 16, 16, 3)), normal(4, (BATCH, ours.model.settings.latent_dim))
    latents = keras.ops.convert_to_tensor(z)
    code = ours.model.encoder({"image": keras.ops.convert_to_tensor(image)})
    raw = ours.model.decoder({"z": latents})
    with torch.no_grad():
        network = theirs.network
        for name, other in zip(
            ("mean", "logvar"), network.encoder(theirs.setting.pictures(image)), strict=True
        ):
            assert_near(code[name], other)
        assert_near(raw, network.decoder(torch.from_numpy(z)).permute(0, 2, 3, 1))
        u, log_det = network.flow(torch.from_numpy(z))
    assert_near(ours.model.prior.to_noise(latents), u)
    # The change of variables of p(z), with log N(u; 0, I).
    log_normal = -0.5 * (u.square() + np.log(2 * np.pi)).sum(1)
    assert_near(ours.model.log_prior(latents), log_normal + log_det)


def test_a_plain_u_net_computes_the_same(tmp_path):
    import keras
    import torch

    _, ours, theirs = made("ddpm", tmp_path)
    xt, t = normal(3, (BATCH, 16, 16, 3)), np.arange(BATCH, dtype=np.int32) * 100
    inputs = {"xt": keras.ops.convert_to_tensor(xt), "t": keras.ops.convert_to_tensor(t)}
    with torch.no_grad():
        other = theirs.network(theirs.setting.pictures(xt), torch.from_numpy(t))
    assert_near(ours.model.denoiser(inputs), other.permute(0, 2, 3, 1))


def test_a_plain_ddpm_draws_its_timesteps_on_one_grid(tmp_path):
    _, ours, theirs = made("ddpm", tmp_path)
    length = ours.model.settings.num_timesteps
    for _ in range(20):
        t = np.sort(theirs.timesteps(length, None).numpy())
        # As many as there are: one in each, but for one at either end that rounding moves.
        assert abs(t - np.arange(length)).max() <= 1
        assert t.dtype == np.int32


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("case", PLAIN)
def test_a_plain_loop_computes_the_same_losses(case, channels_last, tmp_path):
    for pairs in steps(*made(case, tmp_path, channels_last=channels_last), 2):
        for mine, other in pairs:
            # Sums of a few thousand float32 in another order.
            np.testing.assert_allclose(mine, other, rtol=2e-5)


@pytest.mark.parametrize("case", ["gan", "ddpm"])
def test_a_plain_loop_keeps_the_same_weight_average(case, tmp_path):
    config, ours, theirs = made(case, tmp_path)
    ((_, twin),) = ours.model.averages
    network = networks(theirs)[0]
    list(steps(config, ours, theirs, 3))
    names = [name for name, value in network.state_dict().items() if value.is_floating_point()]
    averages = dict(zip(names, theirs.twins, strict=True))
    for name, expected in type(network).of(twin, ours.model).named_parameters():
        # A weight moves by 3e-3 a step, the learning rate, whatever the size of its gradient; where
        # that is little but rounding, so is some of the movement.
        np.testing.assert_allclose(
            averages[name].numpy(), expected.detach().numpy(), atol=1e-4, err_msg=name
        )


@pytest.mark.parametrize("case", PLAIN)
def test_a_plain_loop_in_bfloat16_computes_nearly_the_same_losses(case, tmp_path):
    import torch

    config, ours, theirs = made(case, tmp_path, bfloat16=True)
    layers = networks(theirs)[0].modules()
    first = next(layer for layer in layers if isinstance(layer, torch.nn.Linear))
    seen = []
    first.register_forward_hook(lambda _layer, _inputs, output: seen.append(output.dtype))
    (pairs,) = steps(config, ours, theirs, 1)
    assert set(seen) == {torch.bfloat16}
    for mine, other in pairs:
        # A rounding is 2^-9 of a number at most, through a few layers. The GAN's losses are those
        # after an update, whose sign is rounding's where gradients are small: 1 % was seen.
        np.testing.assert_allclose(mine, other, rtol=3e-2)
