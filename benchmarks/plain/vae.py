"""The default VAE, convolutions with a flow as the prior, in plain PyTorch."""

import math
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.handwritten import Recipe
from benchmarks.plain.copying import (
    copy,
    copy_shuffled,
    copy_to_picture,
    fill,
    of_picture,
    weights,
)
from benchmarks.plain.flow import Flow
from benchmarks.plain.loop import Loop, Setting

SLOPE = 0.2
LOG_2PI = math.log(2 * math.pi)


class Encoder(nn.Module):
    """Pictures (batch, channels, height, width) to mean and log-variance, of two widths."""

    def __init__(self, latent_dim: int, shape: tuple[int, int, int], widths: tuple[int, ...]):
        super().__init__()
        height, width, channels = shape
        self.small = (widths[1], height // 4, width // 4)
        self.down0 = nn.Conv2d(channels, widths[0], 4, stride=2, padding=1)
        self.down1 = nn.Conv2d(widths[0], widths[1], 4, stride=2, padding=1)
        self.posterior = nn.Linear(math.prod(self.small), 2 * latent_dim)

    def forward(self, x: Any) -> Any:
        """Encode to two of (batch, latent_dim), by one product."""
        x = F.leaky_relu(self.down0(x), SLOPE)
        x = F.leaky_relu(self.down1(x), SLOPE)
        return self.posterior(x.flatten(1)).float().chunk(2, 1)

    @classmethod
    def of(cls, encoder: Any, model: Any) -> "Encoder":
        """Copy an encoder of kgen's."""
        names = ("down0_conv", "down1_conv")
        widths = tuple(encoder.get_layer(name).filters for name in names)
        made = cls(model.settings.latent_dim, model.image_shape, widths)
        for layer, name in zip((made.down0, made.down1), names, strict=True):
            copy(layer, encoder, name)
        heads = [weights(encoder, name) for name in ("mean", "logvar")]
        kernel = torch.cat([of_picture(kernel, made.small) for kernel, _ in heads])
        fill(made.posterior, kernel, [torch.cat([bias for _, bias in heads])])
        return made


class Decoder(nn.Module):
    """Latents to raw pixels (batch, channels, height, width), of two widths."""

    def __init__(self, latent_dim: int, shape: tuple[int, int, int], widths: tuple[int, int]):
        super().__init__()
        height, width, channels = shape
        self.small = (widths[0], height // 4, width // 4)
        self.base = nn.Linear(latent_dim, math.prod(self.small))
        self.up = nn.Conv2d(widths[0], 4 * widths[1], 1)
        self.conv = nn.Conv2d(widths[1], widths[1], 3, padding=1)
        self.pixels = nn.Conv2d(widths[1], 4 * channels, 3, padding=1)

    def forward(self, z: Any) -> Any:
        """Decode."""
        x = F.leaky_relu(self.base(z).unflatten(1, self.small), SLOPE)
        x = F.pixel_shuffle(self.up(x), 2)
        x = F.leaky_relu(self.conv(x), SLOPE)
        return F.pixel_shuffle(self.pixels(x), 2).float()

    @classmethod
    def of(cls, decoder: Any, model: Any) -> "Decoder":
        """Copy a decoder of kgen's."""
        second = decoder.get_layer("up0_conv").filters
        first = decoder.get_layer("base_reshape").target_shape[-1]
        made = cls(model.settings.latent_dim, model.image_shape, (first, second))
        copy_to_picture(made.base, decoder, "base", made.small)
        copy_shuffled(made.up, decoder, "up0_up")
        copy(made.conv, decoder, "up0_conv")
        copy_shuffled(made.pixels, decoder, "pixels_conv")
        return made


class Network(nn.Module):
    """Encoder, decoder, the prior's flow, and the pixels' log-variance."""

    def __init__(self, encoder: Encoder, decoder: Decoder, flow: Flow, log_variance: float):
        super().__init__()
        self.encoder, self.decoder, self.flow = encoder, decoder, flow
        self.log_variance = nn.Parameter(torch.tensor(log_variance))

    @classmethod
    def of(cls, model: Any) -> "Network":
        """Copy a model of kgen's."""
        return cls(
            Encoder.of(model.encoder, model),
            Decoder.of(model.decoder, model),
            Flow.of(model.prior.flow),
            float(model.likelihood.get_weights()[0]),
        )


class VAE(Loop):
    """Minus the evidence lower bound."""

    def __init__(self, model: Any, recipe: Recipe, setting: Setting):
        c = model.settings
        if (c.prior, c.likelihood, c.kl_warmup_steps) != ("flow", "gaussian_learned", 0):
            raise ValueError(f"Expected a flow, a learned variance, no warm-up. Received: {c}.")
        super().__init__(recipe, setting)
        self.network: Any = setting.place(Network.of(model))
        self.kl_weight, self.optimizer = c.kl_weight, self.adam(self.network)

    def update(self, images: Any, noise: dict[str, np.ndarray]) -> Any:
        """Descend once; the loss is in nats per picture."""
        x = images.float() / 255.0
        with self.setting.autocast():
            mean, logvar = self.network.encoder(x)
            z = mean + self.normal(noise.get("eps"), tuple(mean.shape)) * torch.exp(0.5 * logvar)
            raw = self.network.decoder(z)
        # Outside: densities in 16 bits would be off by more than they change.
        u, log_det = self.network.flow(z)
        kl = 0.5 * (u * u - logvar - 1.0).sum(1) - log_det
        spread = self.network.log_variance
        squares = (x - torch.sigmoid(raw)).square().flatten(1).sum(1)
        error = 0.5 * (x[0].numel() * (LOG_2PI + spread) + squares * torch.exp(-spread))
        loss = (error + self.kl_weight * kl).mean()
        self.descend(loss, self.optimizer)
        return {"loss": loss.detach()}


def loop(model: Any, recipe: Recipe, setting: Setting) -> Loop:
    """Make the loop on a copy of a model's weights."""
    return VAE(model, recipe, setting)
