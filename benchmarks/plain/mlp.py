"""The VAE of the preset `notes`, an MLP with black-and-white pixels, in plain PyTorch."""

import math
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.handwritten import Recipe
from benchmarks.plain.copying import copy
from benchmarks.plain.loop import Loop, Setting


class Network(nn.Module):
    """Picture to latents to picture, with one hidden layer each way."""

    def __init__(self, pixels: int, width: int, latent_dim: int):
        super().__init__()
        self.read = nn.Linear(pixels, width)
        self.mean = nn.Linear(width, latent_dim)
        self.logvar = nn.Linear(width, latent_dim)
        self.draw = nn.Linear(latent_dim, width)
        self.pixels = nn.Linear(width, pixels)

    def encode(self, x: Any) -> tuple[Any, Any]:
        """Map pictures (batch, pixels) to mean and log-variance."""
        h = F.relu(self.read(x))
        return self.mean(h), self.logvar(h)

    def decode(self, z: Any) -> Any:
        """Map latents to logits (batch, pixels)."""
        return self.pixels(F.relu(self.draw(z)))

    @classmethod
    def of(cls, model: Any) -> "Network":
        """Copy a model of kgen's."""
        c, shape = model.settings, model.image_shape
        made = cls(math.prod(shape), c.encoder_widths[0], c.latent_dim)
        of = {made.read: "hidden0", made.mean: "mean", made.logvar: "logvar"}
        for layer, name in of.items():
            copy(layer, model.encoder, name)
        for layer, name in {made.draw: "hidden0", made.pixels: "pixels"}.items():
            copy(layer, model.decoder, name)
        return made


class VAE(Loop):
    """Minus the evidence lower bound."""

    def __init__(self, network: nn.Module, kl_weight: float, recipe: Recipe, setting: Setting):
        super().__init__(recipe, setting)
        self.network: Any = setting.place(network)
        self.kl_weight, self.optimizer = kl_weight, self.adam(network)

    def update(self, images: Any, noise: dict[str, np.ndarray]) -> Any:
        """Descend once; the loss is in nats per picture."""
        # Grey pictures: one channel, so the order of axes does not matter.
        x = images.flatten(1).float() / 255.0
        with self.setting.autocast():
            mean, logvar = (out.float() for out in self.network.encode(x))
            z = mean + self.normal(noise.get("eps"), tuple(mean.shape)) * torch.exp(0.5 * logvar)
            raw = self.network.decode(z).float()
        error = F.binary_cross_entropy_with_logits(raw, x, reduction="sum") / len(x)
        kl = 0.5 * (torch.exp(logvar) - 1.0 - logvar + mean * mean).sum(-1).mean()
        loss = error + self.kl_weight * kl
        self.descend(loss, self.optimizer)
        return {"loss": loss.detach()}


def loop(model: Any, recipe: Recipe, setting: Setting) -> Loop:
    """Make the loop on a copy of a model's weights."""
    return VAE(Network.of(model), model.settings.kl_weight, recipe, setting)
