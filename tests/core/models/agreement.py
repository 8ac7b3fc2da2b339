"""Train each family a few steps from host-made weights and noise; write what came out.

Run by test_agreement.py in a process per backend: ``python agreement.py OUTPUT.npz``.
"""

import sys

import keras
import numpy as np
from keras import ops

from kgen import models, run_config
from kgen.noise import normal
from kgen.optimizers import build_optimizers

STEPS, BATCH, SHAPE = 4, 8, (16, 16, 1)
OVERRIDES = {
    "gan": {
        "model.dropout": 0.0,
        "model.discriminator_steps": 2,
        "model.gradient_penalty": 0.5,
        # Of pairs, gradients are differences of what is nearly equal at the start: rounding is a
        # larger part of them, which large steps multiply.
        "optimizer.learning_rate": 1e-4,
        "optimizer.discriminator_learning_rate": 1e-4,
    },
    "ae": {},
    # A quarter of the default, and of the DDPM's: Muon moves a matrix as far along what is nearly
    # rounding, such as most directions of a gradient of eight pictures.
    "vae": {"model.prior": "normal", "optimizer.learning_rate": 1e-3},
    # A flow of random weights multiplies what little the backends differ by.
    "vae-flow": {
        "model.prior": "flow",
        "model.flow_depth": 4,
        "model.flow_width": 16,
        "optimizer.name": "adam",
    },
    "ddpm": {
        "model.num_timesteps": 50,
        "optimizer.warmup_steps": 0,
        "optimizer.learning_rate": 3e-3,
    },
}


def set_weights(model):
    """Give every matrix and kernel numbers that do not depend on the backend."""
    for index, variable in enumerate(model.variables):
        if variable.path.endswith("kernel"):
            values = normal(1, tuple(variable.shape), stream=index)
            variable.assign(values / np.sqrt(np.prod(variable.shape[:-1])))
    for network, twin in model.averages:
        twin.set_weights(network.get_weights())


def feed_noise(model, family):
    """Replace what the model draws by tables made on the host, a row per step."""
    c = model.settings
    rng = np.random.Generator(np.random.Philox(5))
    if family == "gan":
        k = c.discriminator_steps
        tables = {
            "z": normal(2, (STEPS, k + 1, BATCH, c.latent_dim)),
            "direction": normal(7, (STEPS, k, BATCH, *SHAPE)),
        }
    elif family == "ddpm":
        t = rng.integers(0, c.num_timesteps, (STEPS, BATCH)).astype(np.int32)
        tables = {"t": t, "eps": normal(3, (STEPS, BATCH, *SHAPE))}
    else:
        tables = {"eps": normal(4, (STEPS, BATCH, c.latent_dim))}

    def draw(batch_size, seed):
        step = ops.convert_to_tensor(model.step)
        return {k: ops.take(ops.convert_to_tensor(v), step, axis=0) for k, v in tables.items()}

    model.draw = draw


def losses_and_weights(case):
    """Train one case; return its losses (steps, logs) and its final weights as one vector."""
    family = case.partition("-")[0]
    config = run_config.resolve(family, preset="quick", overrides=OVERRIDES[case])
    model = models.build(config, SHAPE, ema_decay=0.9)
    optimizers = build_optimizers(config.optimizer, model.optimized(), 100)
    model.compile(
        optimizer=optimizers,
        jit_compile=keras.backend.backend() == "jax",
        auto_scale_loss=False,
    )
    set_weights(model)
    feed_noise(model, family)
    images = np.random.Generator(np.random.Philox(6)).integers(
        0, 256, (STEPS, BATCH, *SHAPE), dtype=np.uint8
    )
    losses = []
    for batch in images:
        history = model.fit(batch, batch_size=BATCH, epochs=1, verbose=0, shuffle=False).history
        losses.append([history[name][0] for name in model.log_names])
    weights = [ops.convert_to_numpy(v).ravel() for v in model.weights]
    return np.array(losses), np.concatenate(weights).astype(np.float64)


if __name__ == "__main__":
    results = {}
    for case in OVERRIDES:
        results[f"{case}_losses"], results[f"{case}_weights"] = losses_and_weights(case)
    np.savez(sys.argv[1], **results)
