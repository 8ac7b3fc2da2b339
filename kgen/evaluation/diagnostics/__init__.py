"""What a model can say about itself, beyond its pictures: by family."""

from collections.abc import Callable
from types import ModuleType

import numpy as np

from kgen.evaluation.diagnostics import ddpm, gan, vae
from kgen.evaluation.record import Findings
from kgen.models.autoencoder import Autoencoder
from kgen.models.ddpm import DDPM
from kgen.models.gan import GAN
from kgen.models.generative import GenerativeModel

Progress = Callable[[int, int], None]

OF_FAMILY: dict[type[GenerativeModel], ModuleType] = {Autoencoder: vae, DDPM: ddpm, GAN: gan}
"""The module that examines models of a class."""


def examine(
    model: GenerativeModel,
    held_out: np.ndarray,
    train: np.ndarray,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Findings:
    """Measure a model by the means of its family.

    Args:
        model: trained.
        held_out: pictures that it has not seen, uint8 (n, height, width, channels).
        train: pictures that it has, for what a linear model learns from them.
        seed: of the noise.
        progress: called with (done, total).
    """
    for family, module in OF_FAMILY.items():
        if isinstance(model, family):
            return module.examine(model, held_out, train, seed=seed, progress=progress)
    return Findings()
