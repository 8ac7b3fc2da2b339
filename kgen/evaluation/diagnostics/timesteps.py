"""Which timesteps of a diffusion model are looked at, and how a sum over all is estimated."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from kgen.evaluation.record import Value
from kgen.noise import philox

TIMESTEPS = 20
"""About so many timesteps are looked at one by one."""
PARTS = 64
"""At most so many parts of the chain are drawn from equally often."""
_TIMESTEP_DOMAIN = 17  # keeps the timesteps drawn apart from the other numbers of a seed


def timesteps(length: int) -> np.ndarray:
    """Choose the timesteps that are looked at one by one, int64, ascending.

    Half of them evenly, as training draws them; half evenly in log(t + 1), since the bound is made
    of the least noisy ones.
    """
    half = TIMESTEPS // 2
    even = np.linspace(0, length - 1, half)
    logarithmic = np.geomspace(1, length, TIMESTEPS - half + 2) - 1
    return np.unique(np.concatenate([even, logarithmic]).round().astype(np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Strata:
    """Timesteps drawn uniformly from parts of the chain: short parts where there is little noise.

    The bound is made of the least noisy timesteps, which few draws from the whole chain would meet.

    Attributes:
        t: int64 (parts, draws), in [0, length).
        widths: int64 (parts,), timesteps in each part; they add up to the length.
    """

    t: np.ndarray
    widths: np.ndarray

    @classmethod
    def draw(cls, length: int, count: int, seed: int) -> Self:
        """Draw about `count` timesteps of a chain, at least two of each part."""
        edges = np.unique(np.geomspace(1, length + 1, PARTS + 1).round().astype(np.int64)) - 1
        widths = np.diff(edges)
        rng = np.random.Generator(philox(seed, 0, domain=_TIMESTEP_DOMAIN))
        draws = max(2, count // len(widths))
        within = rng.integers(0, widths[:, None], (len(widths), draws))
        return cls(edges[:-1, None] + within, widths)

    def total(self, samples: np.ndarray) -> Value:
        """Estimate the sum over all timesteps of what `samples` (parts * draws,) are draws of.

        Source: Cochran (1977), theorems 5.1 and 5.3.
        """
        samples = samples.reshape(self.t.shape)
        errors = samples.var(axis=1, ddof=1) / samples.shape[1]
        return Value(
            value=float(self.widths @ samples.mean(axis=1)),
            sd=float(np.sqrt(np.square(self.widths) @ errors)),
        )
