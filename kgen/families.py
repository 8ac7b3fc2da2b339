"""The families of models that kgen trains, by name.

Values are ``"module:attribute"`` strings, so that listing the families does not import Keras.
"""

import importlib
from dataclasses import dataclass
from typing import Any

from kgen.option import unknown_name


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """Where a family's configuration and model live, and what it is."""

    config: str
    model: str
    summary: str
    optimizer: str = "kgen.config:OptimizerConfig"


FAMILIES: dict[str, Family] = {
    "gan": Family(
        config="kgen.config:GANConfig",
        model="kgen.models.gan:GAN",
        optimizer="kgen.config:GANOptimizerConfig",
        summary="Generative adversarial network: a generator learns to fool a discriminator.",
    ),
    "ae": Family(
        config="kgen.config:AEConfig",
        model="kgen.models.autoencoder:Autoencoder",
        summary="Autoencoder: compresses pictures; its latent space cannot be sampled.",
    ),
    "vae": Family(
        config="kgen.config:VAEConfig",
        model="kgen.models.autoencoder:VAE",
        summary="Variational autoencoder: an autoencoder with a latent space to sample from.",
    ),
    "ddpm": Family(
        config="kgen.config:DDPMConfig",
        model="kgen.models.ddpm:DDPM",
        summary="Diffusion model: turns noise into pictures step by step.",
    ),
}


def family(name: str) -> Family:
    """Return the family of that name.

    Raises:
        KgenError: there is none; the message lists those there are.
    """
    if name not in FAMILIES:
        raise unknown_name("family", name, list(FAMILIES))
    return FAMILIES[name]


def resolve(target: str) -> Any:
    """Import what a ``"module:attribute"`` string names."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
