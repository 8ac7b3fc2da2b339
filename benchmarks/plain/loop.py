"""What the plain loops share: batches, autocast, the fused Adam, the weight average."""

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from benchmarks.handwritten import EPSILON, Recipe


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """Where and how a plain loop computes.

    Attributes:
        device: PyTorch's name of it.
        bfloat16: whether the heavy layers compute in 16 bits.
        channels_last: whether pictures lie in memory with their channels together.
    """

    device: str = "cpu"
    bfloat16: bool = False
    channels_last: bool = False

    def place(self, module: nn.Module) -> nn.Module:
        """Put a network on the device, in the memory format."""
        order = torch.channels_last if self.channels_last else torch.contiguous_format
        return module.to(self.device, memory_format=order)  # pyright: ignore[reportCallIssue]

    def pictures(self, images: Any) -> Any:
        """Put pictures (batch, height, width, channels) there as (batch, channels, ...)."""
        order = torch.channels_last if self.channels_last else torch.contiguous_format
        moved = torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2)
        return moved.contiguous(memory_format=order)

    def autocast(self) -> Any:
        """Compute products and convolutions in 16 bits, or not."""
        return torch.autocast(self.device.partition(":")[0], torch.bfloat16, self.bfloat16)


class Loop:
    """Feeds batches, counts the steps, averages the weights of one network, if any."""

    def __init__(self, recipe: Recipe, setting: Setting, averaged: nn.Module | None = None):
        self.recipe, self.setting, self.count = recipe, setting, 0
        self.updates: dict[str, int] = {}
        self.weights = _floats(averaged)
        self.twins = _floats(copy.deepcopy(averaged))

    def step(self, images: np.ndarray, noise: dict[str, np.ndarray] | None = None) -> Any:
        """Update once on a uint8 batch (batch, height, width, channels); returns the losses."""
        losses = self.update(self.setting.pictures(images), noise or {})
        if self.twins:
            average = get_ema_multi_avg_fn(self.recipe.decay(self.count))
            average(self.twins, self.weights, None)
        self.count += 1
        return losses

    def update(self, images: Any, noise: dict[str, np.ndarray]) -> Any:
        """Descend once; `noise` replaces draws of one's own."""
        raise TypeError("Each network has its own.")

    def adam(self, network: nn.Module) -> torch.optim.Adam:
        """Make an optimizer."""
        c = self.recipe.optimizer
        betas = c.beta_1, c.beta_2
        return torch.optim.Adam(network.parameters(), lr=c.learning_rate, betas=betas, fused=True)

    def descend(self, loss: Any, optimizer: torch.optim.Adam, part: str = "") -> None:
        """Move the optimizer's parameters once along the gradient of the loss."""
        (group,) = optimizer.param_groups
        optimizer.zero_grad(set_to_none=True)
        loss.backward(inputs=group["params"])
        if self.recipe.optimizer.clip_norm is not None:
            nn.utils.clip_grad_norm_(group["params"], self.recipe.optimizer.clip_norm)
        group["lr"] = self.recipe.rate(self.count, part)
        # PyTorch adds epsilon after the correction of the second moment, Keras before.
        updates = self.updates[part] = self.updates.get(part, 0) + 1
        group["eps"] = EPSILON / math.sqrt(1.0 - group["betas"][1] ** updates)
        optimizer.step()

    def normal(self, given: np.ndarray | None, shape: tuple[int, ...]) -> Any:
        """Draw standard normal numbers, unless they are given."""
        if given is None:
            return torch.randn(shape, device=self.setting.device)
        return torch.from_numpy(given).to(self.setting.device)


def _floats(network: nn.Module | None) -> list[torch.Tensor]:
    """List what is averaged of a network: parameters and running moments."""
    if network is None:
        return []
    return [t.detach() for t in network.state_dict().values() if t.is_floating_point()]
