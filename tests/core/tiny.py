"""A run that is over in seconds: 48 pictures of 16 x 16 pixels, narrow networks."""

from pathlib import Path

import numpy as np

from kgen import run_config
from kgen.run import Run

NARROW = {
    "gan": {
        "model.latent_dim": 8,
        "model.generator_widths": [16, 8],
        "model.discriminator_widths": [8, 16],
        # The default's steps are four times as large, and multiply differences of rounding.
        "optimizer.learning_rate": 3e-3,
    },
    "ae": {"model.encoder_widths": [8, 16], "model.decoder_widths": [16, 8]},
    "vae": {
        "model.encoder_widths": [8, 16],
        "model.decoder_widths": [16, 8],
        "model.flow_depth": 2,
        "model.flow_width": 8,
    },
    "ddpm": {"model.widths": [8, 16], "model.num_timesteps": 20, "model.preview_steps": 2},
}


def pictures(count: int = 48) -> np.ndarray:
    """Make grey squares of random place and brightness, uint8 (count, 16, 16, 1)."""
    rng = np.random.Generator(np.random.Philox(0))
    images = np.zeros((count, 16, 16, 1), np.uint8)
    for image in images:
        row, column = rng.integers(0, 8, 2)
        image[row : row + 8, column : column + 8] = rng.integers(100, 256)
    return images


def config(family: str, folder: Path, **overrides):
    """Configure a short run: 8 pictures a batch, 5 batches an epoch, 10 steps."""
    data = folder / "pictures.npz"
    if not data.exists():
        np.savez(data, images=pictures(), labels=np.arange(48) % 3)
    values = {
        "data.source": str(data),
        "training.batch_size": 8,
        "training.steps": 10,
        "output.grid": 4,
        **NARROW[family],
        **{key.replace("__", "."): value for key, value in overrides.items()},
    }
    return run_config.resolve(family, overrides=values)


def new_run(family: str, folder: Path, name: str = "run", **overrides) -> Run:
    """Create the folder of a short run."""
    return Run.create(config(family, folder, **overrides), path=folder / name)
