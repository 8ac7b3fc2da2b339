"""Write finished runs without training: ``python finished_runs.py FOLDER``.

There is one of each family, one of a VAE with a learned prior, and two of Dense layers only.
Its weights are random but none is zero or one, so that every layer counts in the pictures: an
untrained denoiser's last layer, an encoder's log-variance and every bias are zero. The averages
have weights of their own: an export of the wrong twin draws other pictures.
"""

import sys
from pathlib import Path

import numpy as np

from kgen import backend, run_config
from kgen.noise import normal
from kgen.run import Run

IMAGE_SHAPE = (16, 16, 1)
AUTOENCODER = {
    "model.latent_dim": 8,
    "model.encoder_widths": [8, 16],
    "model.decoder_widths": [16, 8],
}
NARROW = {
    "gan": {
        "model.latent_dim": 8,
        "model.generator_widths": [16, 8],
        "model.discriminator_widths": [8, 16],
    },
    "ae": AUTOENCODER,
    "vae": {**AUTOENCODER, "model.prior": "normal"},
    "vae_flow": {
        **AUTOENCODER,
        "model.prior": "flow",
        "model.flow_depth": 6,
        "model.flow_width": 16,
    },
    "ddpm": {"model.widths": [8, 16], "model.num_timesteps": 20, "model.preview_steps": 2},
    "gan_mlp": {
        "model.network": "mlp",
        "model.latent_dim": 8,
        "model.generator_widths": [16, 32],
        "model.discriminator_widths": [16],
    },
    "vae_mlp": {
        "model.network": "mlp",
        "model.latent_dim": 8,
        "model.prior": "normal",
        "model.encoder_widths": [16],
        "model.decoder_widths": [16],
    },
}


def main() -> None:
    backend.select("tensorflow", device="cpu")
    for case in NARROW:
        write(case, Path(sys.argv[1]) / case)


def write(case: str, path: Path) -> None:
    """Write one run."""
    from kgen import models

    family = case.partition("_")[0]
    config = run_config.resolve(family, overrides=NARROW[case])
    run = Run.create(config, path=path)
    model = models.build(config, IMAGE_SHAPE, ema_decay=0.9)
    twins = [twin for _, twin in model.averages]
    networks = {id(n): n for n in [*model.trained_parts.values(), *twins]}
    for stream, network in enumerate(networks.values()):
        set_weights(network, seed=list(NARROW).index(case), stream=stream)
    models.save(model, run.model_file)
    run.write_summary(
        {
            "status": "finished", "family": family, "data": "random", "licence": "none",
            "backend": "tensorflow", "precision": "float32", "step": 10, "total_steps": 10,
            "seconds": 1.0, "metrics": {}, "ema_decay": 0.9,
        }
    )  # fmt: skip


def set_weights(network, seed: int, stream: int) -> None:
    """Draw kernels that keep the scale of what they read, and norms and biases near 1 and 0."""
    for index, variable in enumerate(network.weights):
        kind = variable.path.rpartition("/")[2]
        values = normal(seed, tuple(variable.shape), stream=1000 * stream + index)
        if variable.shape and "kernel" in kind:
            values = values / np.sqrt(np.prod(variable.shape[:-1]))
        elif kind in ("gamma", "moving_variance"):
            values = 1 + 0.1 * np.tanh(values)
        else:
            values = 0.1 * values
        variable.assign(values)


if __name__ == "__main__":
    main()
