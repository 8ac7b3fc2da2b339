"""Training loops without kgen and without `fit`, to measure kgen's step against.

One module per backend, in that backend's own API: gradients, losses, noise, optimizer, weight
average and loop. Only the networks are kgen's, so that both sides compute the same layers. The
loops are as lean as a careful programmer writes them: they compute nothing but what is descended,
keep no means, look at no number before the end, and feed NumPy batches by hand.

Every module has ``loop(model, recipe)``, which returns an object with

- ``step(images, noise=None)``: one update on a uint8 batch (batch, height, width, channels);
  returns the losses by name, on the device. `noise` replaces the loop's own draws, by the names
  that ``GenerativeModel.draw`` uses;
- ``averages()``: the weight averages as NumPy arrays, which also waits for the last step.
"""

import importlib
import math
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from kgen.config import GANOptimizerConfig, OptimizerConfig
from kgen.run_config import RunConfig

EPSILON = 1e-7
"""Adam's epsilon in Keras."""


class Loop(Protocol):
    """What a backend's module makes; see the package."""

    def step(self, images: np.ndarray, noise: dict[str, np.ndarray] | None = None) -> Any:
        """Update once."""
        ...

    def averages(self) -> list[np.ndarray]:
        """Wait, and return the weight averages."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """What a loop has to know besides the networks: the numbers of a run's configuration.

    Attributes:
        optimizer: Adam's numbers.
        total_steps: steps over which a decaying rate falls.
        ema_decay: the weight average's decay once it has grown.
        compiled: whether TensorFlow uses XLA.
    """

    optimizer: OptimizerConfig
    total_steps: int
    ema_decay: float
    compiled: bool

    @classmethod
    def of(cls, config: RunConfig, ema_decay: float, total_steps: int, compiled: bool) -> Self:
        """Read a run's configuration; the loops know Adam only."""
        if config.optimizer.name != "adam":
            raise ValueError(f"The loops use adam. Received: {config.optimizer.name!r}.")
        return cls(
            optimizer=config.optimizer,
            total_steps=total_steps,
            ema_decay=ema_decay,
            compiled=compiled,
        )

    def rate(self, step: int, part: str = "") -> float:
        """Return the learning rate of a part at a step, counted from 0."""
        c = self.optimizer
        peak = c.learning_rate
        if (
            isinstance(c, GANOptimizerConfig)
            and part == "discriminator"
            and c.discriminator_learning_rate
        ):
            peak = c.discriminator_learning_rate
        warmup = min(c.warmup_steps, self.total_steps)
        if step < warmup:
            return peak * step / warmup
        if c.decay == "constant":
            return peak
        done = min(1.0, (step - warmup) / max(self.total_steps - warmup, 1))
        return peak * 0.5 * (1.0 + math.cos(math.pi * done))

    def decay(self, step: int) -> float:
        """Return the weight average's decay after the step of that number, counted from 0."""
        k = step + 1
        return min(self.ema_decay, (1.0 + k) / (10.0 + k))


def loop(backend: str, model: Any, recipe: Recipe) -> Loop:
    """Make the hand-written loop of a backend on the networks of a model."""
    return importlib.import_module(f"benchmarks.handwritten._{backend}").loop(model, recipe)
