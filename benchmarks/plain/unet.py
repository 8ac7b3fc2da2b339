"""The default DDPM's U-Net in plain PyTorch."""

import math
from itertools import pairwise
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.plain.copying import (
    copy,
    copy_pointwise,
    copy_shuffled,
    copy_strided,
    copy_unshuffled,
    fill,
    weights,
)

PATCH, HEADS = 2, 4
MAX_PERIOD = 10_000.0


class Block(nn.Module):
    """Two convolutions, the second norm scaled and shifted by the condition, and a short cut."""

    def __init__(self, inputs: int, channels: int, condition: int):
        super().__init__()
        self.norm0, self.norm1 = _norm(inputs), _norm(channels)
        self.conv0 = nn.Conv2d(inputs, channels, 3, padding=1)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.modulation = nn.Linear(condition, 2 * channels)
        same = inputs == channels
        self.project = nn.Identity() if same else nn.Conv2d(inputs, channels, 1)

    def forward(self, x: Any, condition: Any) -> Any:
        """Add to the picture what the convolutions make of it."""
        scale, shift = self.modulation(condition)[:, :, None, None].chunk(2, 1)
        h = self.conv0(F.silu(self.norm0(x)))
        h = F.silu(torch.addcmul(shift, self.norm1(h), 1.0 + scale))
        return self.project(x) + self.conv1(h)

    def fill(self, denoiser: Any, name: str) -> None:
        """Copy a block of kgen's."""
        for part in ("norm0", "norm1", "conv0", "conv1", "modulation"):
            copy(getattr(self, part), denoiser, f"{name}_{part}")
        if isinstance(self.project, nn.Conv2d):
            copy_pointwise(self.project, denoiser, f"{name}_project")


class Attention(nn.Module):
    """Every pixel looks at every other, and adds what it gathers."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = _norm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Any) -> Any:
        """Attend in heads."""
        pixels = self.norm(x).flatten(2).transpose(1, 2)  # (batch, pixels, channels)
        heads = self.qkv(pixels).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        gathered = F.scaled_dot_product_attention(*heads.unbind(0))
        out = self.out(gathered.transpose(1, 2).flatten(2))
        return x + out.transpose(1, 2).unflatten(2, x.shape[2:])

    def fill(self, denoiser: Any, name: str) -> None:
        """Copy an attention of kgen's."""
        copy(self.norm, denoiser, f"{name}_norm")
        kernel, bias, out, out_bias = weights(denoiser, name)
        fill(self.qkv, kernel.T, [bias])
        fill(self.out, out.T, [out_bias])


class UNet(nn.Module):
    """Noisy pictures (batch, channels, height, width) and timesteps to what is predicted."""

    frequencies: torch.Tensor

    def __init__(self, channels: int, widths: list[int]):
        super().__init__()
        dim = 4 * widths[0]
        exponents = torch.arange(dim // 2, dtype=torch.float64) / (dim // 2)
        frequencies = (MAX_PERIOD**-exponents).float()
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.hidden, self.condition = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.stem = nn.Conv2d(PATCH**2 * channels, widths[0], 3, padding=1)
        self.downs = nn.ModuleList(Block(width, width, dim) for width in widths)
        self.shrinks = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.attention = Attention(widths[-1])
        self.ups = nn.ModuleList(Block(2 * width, width, dim) for width in widths)
        self.grows = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in pairwise(widths))
        self.norm = _norm(widths[0])
        self.pixels = nn.Conv2d(widths[0], PATCH**2 * channels, 3, padding=1)

    def forward(self, xt: Any, t: Any) -> Any:
        """Predict."""
        angles = t.float()[:, None] * self.frequencies
        embedded = torch.cat([torch.sin(angles), torch.cos(angles)], 1)
        condition = F.silu(self.condition(F.silu(self.hidden(embedded))))
        x, skips = self.stem(F.pixel_unshuffle(xt, PATCH)), []
        for level, block in enumerate(self.downs):
            if level > 0:
                x = self.shrinks[level - 1](x)
            x = block(x, condition)
            skips.append(x)
        x = self.attention(x)
        for level in reversed(range(len(self.ups))):
            x = self.ups[level](torch.cat([x, skips[level]], 1), condition)
            if level > 0:
                x = F.pixel_shuffle(self.grows[level - 1](x), 2)
        return F.pixel_shuffle(self.pixels(F.silu(self.norm(x))), PATCH).float()

    @classmethod
    def of(cls, denoiser: Any, model: Any) -> "UNet":
        """Copy a denoiser of kgen's with one block a level."""
        levels = [layer for layer in denoiser.layers if layer.name.endswith("_block0_conv0")]
        widths = [layer.filters for layer in levels if layer.name.startswith("down")]
        made = cls(model.image_shape[-1], widths)
        copy(made.hidden, denoiser, "time_hidden")
        copy(made.condition, denoiser, "time_output")
        copy_unshuffled(made.stem, denoiser, "stem", PATCH)
        for side, blocks in {"down": made.downs, "up": made.ups}.items():
            for level, block in enumerate(blocks):
                cast(Block, block).fill(denoiser, f"{side}{level}_block0")
        for level, (shrink, grow) in enumerate(zip(made.shrinks, made.grows, strict=True)):
            copy_strided(shrink, denoiser, f"down{level}_proj")
            copy_shuffled(grow, denoiser, f"up{level + 1}_up")
        made.attention.fill(denoiser, "middle_attention")
        copy(made.norm, denoiser, "head_norm")
        copy_shuffled(made.pixels, denoiser, "head_conv", PATCH)
        return made


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(8, channels), channels)
