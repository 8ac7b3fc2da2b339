"""The default GAN, a DCGAN with sub-pixels, in plain PyTorch."""

import itertools
import math
import re
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
from benchmarks.plain.loop import Loop, Setting

SLOPE = 0.2


def convolutions(network: Any) -> list[int]:
    """Read the widths of a Keras network's levels, but for that of its first vector."""
    levels = [layer for layer in network.layers if re.fullmatch(r"(up|down)\d+_conv", layer.name)]
    return [layer.filters for layer in levels]


class Generator(nn.Module):
    """z to pictures (batch, channels, height, width), of two widths."""

    def __init__(self, latent_dim: int, shape: tuple[int, int, int], widths: tuple[int, int]):
        super().__init__()
        height, width, channels = shape
        self.small = (widths[0], height // 4, width // 4)
        self.base = nn.Linear(latent_dim, math.prod(self.small), bias=False)
        # Keras's numbers: momentum 0.9 is 0.1 here.
        self.base_norm = nn.BatchNorm2d(widths[0], eps=1e-3, momentum=0.1)
        self.up = nn.Conv2d(widths[0], 4 * widths[1], 1)
        self.conv = nn.Conv2d(widths[1], widths[1], 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(widths[1], eps=1e-3, momentum=0.1)
        self.pixels = nn.Conv2d(widths[1], 4 * channels, 3, padding=1)

    def forward(self, z: Any) -> Any:
        """Draw."""
        x = self.base(z).unflatten(1, self.small)
        x = F.leaky_relu(self.base_norm(x), SLOPE)
        x = F.pixel_shuffle(self.up(x), 2)
        x = F.leaky_relu(self.norm(self.conv(x)), SLOPE)
        return torch.tanh(F.pixel_shuffle(self.pixels(x), 2).float())

    @classmethod
    def of(cls, keras_generator: Any, model: Any) -> "Generator":
        """Copy a generator of kgen's."""
        first = keras_generator.get_layer("base_reshape").target_shape[-1]
        [second] = convolutions(keras_generator)
        made = cls(model.settings.latent_dim, model.image_shape, (first, second))
        copy_to_picture(made.base, keras_generator, "base", made.small)
        copy_shuffled(made.up, keras_generator, "up0_up")
        copy(made.conv, keras_generator, "up0_conv")
        copy_shuffled(made.pixels, keras_generator, "pixels_conv")
        for layer, name in {made.base_norm: "base_norm", made.norm: "up0_norm"}.items():
            gamma, beta, *_ = weights(keras_generator, name)
            fill(layer, gamma, [beta])
        return made


class Discriminator(nn.Module):
    """Pictures to logits (batch, 1)."""

    def __init__(self, shape: tuple[int, int, int], widths: list[int], bias: bool):
        super().__init__()
        height, width, channels = shape
        downs = []
        for before, after in itertools.pairwise([channels, *widths]):
            # Of an odd side the greater half remains: one more zero at its end.
            odd = nn.ZeroPad2d((0, width % 2, 0, height % 2))
            down = nn.Conv2d(before, after, 4, stride=2, padding=1)
            downs.append(nn.Sequential(odd, down) if height % 2 or width % 2 else down)
            height, width = -(-height // 2), -(-width // 2)
        self.downs = nn.ModuleList(downs)
        self.small = (widths[-1], height, width)
        self.logit = nn.Linear(math.prod(self.small), 1, bias=bias)

    def forward(self, x: Any) -> Any:
        """Judge."""
        for down in self.downs:
            x = F.leaky_relu(down(x), SLOPE)
        return self.logit(x.flatten(1)).float()

    @classmethod
    def of(cls, keras_discriminator: Any, model: Any) -> "Discriminator":
        """Copy a discriminator of kgen's."""
        widths = convolutions(keras_discriminator)
        made = cls(model.image_shape, widths, bias=not model.relativistic)
        layers = (layer for layer in made.modules() if isinstance(layer, nn.Conv2d))
        for i, layer in enumerate(layers):
            copy(layer, keras_discriminator, f"down{i}_conv")
        kernel, *bias = weights(keras_discriminator, "logit")
        fill(made.logit, of_picture(kernel, made.small), bias)
        return made


class GAN(Loop):
    """Discriminator, then generator."""

    def __init__(self, model: Any, recipe: Recipe, setting: Setting):
        c = model.settings
        if c.dropout:
            raise ValueError(f"Expected no dropout. Received: {c}.")
        self.g: Any = setting.place(Generator.of(model.generator, model))
        self.d: Any = setting.place(Discriminator.of(model.discriminator, model))
        super().__init__(recipe, setting, self.g)
        self.c, self.pairs = c, model.relativistic
        self.g_adam, self.d_adam = self.adam(self.g), self.adam(self.d)

    def update(self, images: Any, noise: dict[str, np.ndarray]) -> Any:
        """Descend once."""
        real, d_loss = images.float() / 127.5 - 1.0, None
        shape = (self.c.discriminator_steps + 1, len(real), self.c.latent_dim)
        z, moves = self.normal(noise.get("z"), shape), noise.get("direction")
        for turn in range(self.c.discriminator_steps):
            move = None if moves is None else self.setting.pictures(moves[turn])
            whole, d_loss = self.d_losses(real, z[turn], move)
            self.descend(whole, self.d_adam, "discriminator")
        with self.setting.autocast():
            fake_logits = self.d(self.g(z[-1]))
            ahead = fake_logits - self.d(real) if self.pairs else fake_logits
            g_loss = F.softplus(-ahead).mean()
        self.descend(g_loss, self.g_adam)
        return {"d_loss": d_loss, "g_loss": g_loss.detach()}

    def d_losses(self, real: Any, z: Any, move: Any) -> tuple[Any, Any]:
        """Compute the discriminator's loss with its penalty, and without."""
        with self.setting.autocast():
            with torch.no_grad():
                fake = self.g(z)
            real_logits, fake_logits = self.d(real), self.d(fake)
            if self.pairs:
                loss = whole = F.softplus(fake_logits - real_logits).mean()
            else:
                loss = whole = F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
            if self.c.gradient_penalty:
                moved = real + 0.1 * (torch.randn_like(real) if move is None else move)
                slope = (self.d(moved) - real_logits) / 0.1
                whole = loss + 0.5 * self.c.gradient_penalty * slope.square().mean()
        return whole, loss.detach()


def loop(model: Any, recipe: Recipe, setting: Setting) -> Loop:
    """Make the loop on a copy of a model's weights."""
    return GAN(model, recipe, setting)
