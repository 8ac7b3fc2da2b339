"""The loops that kgen's speed is measured against train the same thing."""

import numpy as np
import pytest

from kgen.noise import normal
from tests.core import tiny

pytestmark = pytest.mark.backend

BATCH = 8
MLP = {
    "model__network": "mlp",
    "model__encoder_widths": [12],
    "model__decoder_widths": [12],
}
ADAM = {"optimizer__name": "adam"}
"""What the loops know, where the default is another."""
CASES = {
    "gan": {
        "family": "gan",
        "model__loss": "non_saturating",
        "model__dropout": 0.0,
        "model__discriminator_steps": 2,
        "model__gradient_penalty": 0.5,
        # The loops have one rate a step, kgen one for each of the two discriminator updates.
        "optimizer__decay": "constant",
        # What fits a run of 10 steps is 0: no average.
        "optimizer__ema_decay": 0.9,
    },
    "gan-relativistic": {
        "family": "gan",
        "model__loss": "relativistic",
        "model__gradient_penalty": 0.5,
        "model__dropout": 0.0,
        "optimizer__ema_decay": 0.9,
    },
    "vae": {
        "family": "vae",
        **ADAM,
        "model__prior": "normal",
        "model__likelihood": "gaussian_learned",
    },
    "vae-flow": {
        "family": "vae",
        **ADAM,
        "model__prior": "flow",
        "model__flow_depth": 2,
        "model__flow_width": 8,
        "model__likelihood": "gaussian_learned",
    },
    "vae-bernoulli": {"family": "vae", **ADAM, **MLP, "model__likelihood": "bernoulli"},
    "vae-gaussian": {"family": "vae", **ADAM, **MLP, "model__likelihood": "gaussian"},
    "ddpm": {
        "family": "ddpm",
        "model__widths": [8],
        **ADAM,
        "optimizer__warmup_steps": 0,
        "optimizer__ema_decay": 0.9,
    },
}


def noise(family, config):
    """Make the noise of a step, by the names that the model draws it under."""
    latent = (BATCH, getattr(config.model, "latent_dim", 0))
    pictures = (BATCH, 16, 16, config.data.channels or 1)
    if family == "gan":
        k = config.model.discriminator_steps
        return {"z": normal(1, (k + 1, *latent)), "direction": normal(2, (k, *pictures))}
    if family == "vae":
        return {"eps": normal(1, latent)}
    return {"t": np.arange(BATCH, dtype=np.int32) * 2, "eps": normal(1, pictures)}


@pytest.mark.parametrize("case", CASES)
def test_kgen_and_the_handwritten_loop_compute_the_same_steps(case, tmp_path):
    import keras

    from benchmarks.handwritten import Recipe, loop
    from kgen import training

    overrides = dict(CASES[case])
    family = overrides.pop("family")
    config = tiny.config(family, tmp_path, **overrides)
    ours, theirs = training.prepare(config), training.prepare(config)
    for mine, other in zip(ours.model.variables, theirs.model.variables, strict=True):
        # Through NumPy: on JAX two variables would share an array, which `fit` gives away.
        other.assign(keras.ops.convert_to_numpy(mine))
    recipe = Recipe.of(config, ours.plan.ema_decay, ours.plan.total_steps, compiled=False)
    by_hand = loop(keras.backend.backend(), theirs.model, recipe)
    fixed = noise(family, config)
    ours.model.draw = lambda batch_size, seed: {
        name: keras.ops.convert_to_tensor(value) for name, value in fixed.items()
    }
    for step in range(3):
        batch = ours.batches.batch(0, step)
        fit = ours.model.fit((batch for _ in range(1)), steps_per_epoch=1, verbose=0, shuffle=False)
        losses = by_hand.step(batch[0], fixed)
        # The first step has the same weights to the bit; later ones those of Adam, whose order of
        # operations differs. rtol: sums of 2000 float32 in another order.
        for name, loss in losses.items():
            np.testing.assert_allclose(
                fit.history[name][0], float(loss), rtol=2e-5, err_msg=f"{step}"
            )
    averages = [w for _, twin in ours.model.averages for w in twin.get_weights()]
    for mine, other in zip(averages, by_hand.averages(), strict=True):
        # A weight moves by about the learning rate a step, whatever the size of its gradient; where
        # that is little but rounding (1e-7 of the others'), so is some of the movement: a tenth.
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rate", ["constant", "cosine"])
def test_the_handwritten_loops_have_the_learning_rates_of_kgen(rate, tmp_path):
    from benchmarks.handwritten import Recipe
    from kgen.optimizers import _schedule

    config = tiny.config("ddpm", tmp_path, **ADAM, optimizer__decay=rate, optimizer__warmup_steps=4)
    recipe = Recipe.of(config, 0.9, 10, compiled=False)
    schedule = _schedule(config.optimizer, config.optimizer.learning_rate, 10)
    rates = [float(schedule(step)) for step in range(12)]
    # Keras computes the schedule in float32.
    np.testing.assert_allclose([recipe.rate(step) for step in range(12)], rates, atol=1e-9)


def test_a_benchmark_measures_both_sides(tmp_path):
    from benchmarks import case

    found = case.measure("vae-notes", tmp_path, rounds=1, steps=2, batch_size=2)
    assert (len(found.kgen), len(found.handwritten)) == (1, 1)
    assert found.ratio > 0
    # An MLP of 784-400-(20, 20) and 20-400-784: 2 FLOPs a weight to call it, 2 for its gradient,
    # 2 more where its input has one, which the pictures have not.
    first, later = 784 * 400, 2 * 400 * 20 + 20 * 400 + 400 * 784
    assert found.flops == 4 * first + 6 * later
    assert found.flops_per_second == pytest.approx(found.flops * found.kgen[0])
