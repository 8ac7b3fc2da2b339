"""The noise schedule of a diffusion model as float64 NumPy tables, without Keras.

Index convention: ``t`` runs over ``[0, num_timesteps)`` and t = 0 is the least noisy, so the
papers' t is this one plus 1, and their ``alpha_bar_0 = 1`` is :attr:`alpha_bars_prev` at t = 0.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from kgen.errors import KgenError
from kgen.option import unknown_name

COSINE_OFFSET = 0.008  # s of Nichol & Dhariwal (2021), section 3.2
MAX_BETA = 0.999  # their clip, against a singularity at the last step


def linear_betas(num_timesteps: int, beta_start: float, beta_end: float) -> np.ndarray:
    """Space betas evenly from `beta_start` to `beta_end`, the schedule of the DDPM paper.

    Source: Ho et al. (2020), section 4 (1e-4 to 0.02 over T = 1000). Another T needs other ends,
    or the last alpha_bar is no longer near 0 and sampling cannot start from pure noise.
    """
    if not 0.0 < beta_start <= beta_end < 1.0:
        raise KgenError(
            "A linear schedule takes 0 < beta_start <= beta_end < 1. "
            f"Received: beta_start={beta_start}, beta_end={beta_end}."
        )
    return np.linspace(beta_start, beta_end, num_timesteps, dtype=np.float64)


def cosine_betas(num_timesteps: int) -> np.ndarray:
    """Make betas whose alpha_bar falls as a squared cosine: noise grows evenly to the eye.

    ``alpha_bar(u) = f(u) / f(0)``, ``f(u) = cos((u + s) / (1 + s) * pi / 2) ** 2``, u = t / T, and
    ``beta_t = min(1 - alpha_bar_t / alpha_bar_{t-1}, 0.999)``.

    Source: Nichol & Dhariwal (2021), eq. 17 and section 3.2 (s = 0.008).
    """
    u = np.arange(num_timesteps + 1) / num_timesteps
    f = np.cos((u + COSINE_OFFSET) / (1 + COSINE_OFFSET) * math.pi / 2) ** 2
    return np.minimum(1 - f[1:] / f[:-1], MAX_BETA)


SCHEDULES: dict[str, Callable[[int, float, float], np.ndarray]] = {
    "cosine": lambda num_timesteps, _start, _end: cosine_betas(num_timesteps),
    "linear": linear_betas,
}


def betas(
    kind: str, num_timesteps: int, beta_start: float = 1e-4, beta_end: float = 0.02
) -> np.ndarray:
    """Make the variances beta_t of the forward steps, by the schedule's name.

    Args:
        kind: "linear" or "cosine".
        num_timesteps: length T of the forward chain, at least 1.
        beta_start: first beta of the linear schedule; the cosine one ignores it.
        beta_end: last beta of the linear schedule; the cosine one ignores it.

    Returns:
        float64 (T,), in (0, 1), rising.

    Raises:
        KgenError: the name is unknown or a number is out of range.
    """
    if kind not in SCHEDULES:
        raise unknown_name("noise schedule", kind, list(SCHEDULES))
    if num_timesteps < 1:
        raise KgenError(
            f"A noise schedule has at least 1 step. Received: num_timesteps={num_timesteps}."
        )
    return SCHEDULES[kind](num_timesteps, beta_start, beta_end)


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class ScheduleTables:
    """Everything that follows from the betas: read-only float64 (T,) arrays, indexed by t.

    Source: Ho et al. (2020), eq. 4 for alpha_bars, eq. 6-7 for the posterior
    ``q(x_{t-1} | x_t, x_0) = N(mu_tilde, beta_tilde I)``.
    """

    betas: np.ndarray
    """Variance of the forward step q(x_t | x_{t-1}), in (0, 1]."""
    alphas: np.ndarray
    """``1 - betas``."""
    alpha_bars: np.ndarray
    """``cumprod(alphas)``: share of x0's variance left in xt, falling, in [0, 1)."""
    alpha_bars_prev: np.ndarray
    """alpha_bars one step earlier, 1 at t = 0."""
    posterior_variance: np.ndarray
    """beta_tilde, ``betas * (1 - alpha_bars_prev) / (1 - alpha_bars)``: 0 at t = 0."""
    posterior_log_variance_clipped: np.ndarray
    """``log(beta_tilde)``, with the value of t = 1 at t = 0, where the logarithm is -inf."""
    posterior_mean_coef_x0: np.ndarray
    """Weight of x0 in mu_tilde, ``sqrt(alpha_bars_prev) * betas / (1 - alpha_bars)``."""
    posterior_mean_coef_xt: np.ndarray
    """Weight of xt in mu_tilde, ``sqrt(alphas) * (1 - alpha_bars_prev) / (1 - alpha_bars)``."""
    snr: np.ndarray
    """Signal-to-noise ratio ``alpha_bars / (1 - alpha_bars)``, falling."""

    def __post_init__(self) -> None:
        """Make the arrays read-only: they are shared by everything that samples."""
        for field in fields(self):
            getattr(self, field.name).setflags(write=False)

    @classmethod
    def from_betas(cls, betas: np.ndarray) -> Self:
        """Derive every table from the betas, float (T,) in (0, 1]."""
        betas = np.array(betas, dtype=np.float64)  # a copy, which stays ours
        if betas.ndim != 1 or betas.size == 0 or not (np.all(betas > 0) and np.all(betas <= 1)):
            raise ValueError(f"betas are a 1-D array in (0, 1]. Received: betas={betas}.")
        return cls._of(betas, np.cumprod(1 - betas))

    @classmethod
    def from_alpha_bars(cls, alpha_bars: np.ndarray) -> Self:
        """Derive every table from the alpha_bars, float (T,), strictly falling within [0, 1)."""
        bars = np.array(alpha_bars, dtype=np.float64)
        shaped = bars.ndim == 1 and bars.size > 0
        if not shaped or not (np.all(np.diff(bars, prepend=1.0) < 0) and bars[-1] >= 0):
            raise ValueError(
                "alpha_bars are a 1-D array that falls strictly from below 1, to 0 at least. "
                f"Received: alpha_bars={alpha_bars}."
            )
        return cls._of(1 - bars / np.append(1.0, bars[:-1]), bars)

    @classmethod
    def _of(cls, betas: np.ndarray, alpha_bars: np.ndarray) -> Self:
        """Derive what both of them say."""
        prev = np.append(1.0, alpha_bars[:-1])
        variance = betas * (1 - prev) / (1 - alpha_bars)
        clipped = np.append(variance[min(1, len(betas) - 1)], variance[1:])
        with np.errstate(divide="ignore"):  # a chain of one step has no t = 1 to take
            log_variance = np.log(clipped)
        return cls(
            betas=betas,
            alphas=1 - betas,
            alpha_bars=alpha_bars,
            alpha_bars_prev=prev,
            posterior_variance=variance,
            posterior_log_variance_clipped=log_variance,
            posterior_mean_coef_x0=np.sqrt(prev) * betas / (1 - alpha_bars),
            posterior_mean_coef_xt=np.sqrt(1 - betas) * (1 - prev) / (1 - alpha_bars),
            snr=alpha_bars / (1 - alpha_bars),
        )

    @property
    def num_timesteps(self) -> int:
        """Length T of the forward chain."""
        return len(self.betas)

    def respaced(self, timesteps: np.ndarray) -> Self:
        """Return the tables of the shorter chain that visits only some timesteps.

        Its alphas are ``alpha_bars[t] / alpha_bars[t_prev]``, which keeps the marginals
        q(x_t | x_0) of the long chain. Source: Nichol & Dhariwal (2021), section 4.

        Args:
            timesteps: int (S,), strictly ascending, in [0, T).

        Returns:
            Tables of length S; index i belongs to ``timesteps[i]``.

        Raises:
            ValueError: `timesteps` are not ascending or not in range.
        """
        steps = np.asarray(timesteps)
        ascending = steps.ndim == 1 and steps.size > 0 and bool(np.all(np.diff(steps) > 0))
        if not ascending or steps[0] < 0 or steps[-1] >= self.num_timesteps:
            raise ValueError(
                f"timesteps ascend strictly within [0, {self.num_timesteps}). "
                f"Received: timesteps={timesteps}."
            )
        return self.from_alpha_bars(self.alpha_bars[steps])


def _trailing(num_timesteps: int, num_steps: int) -> np.ndarray:
    """Count back from the last timestep in strides of T / S."""
    return np.round(num_timesteps - np.arange(num_steps) * num_timesteps / num_steps)[::-1] - 1


def _leading(num_timesteps: int, num_steps: int) -> np.ndarray:
    """Count up from 0 in strides of floor(T / S)."""
    return np.arange(num_steps) * (num_timesteps // num_steps)


def _linspace(num_timesteps: int, num_steps: int) -> np.ndarray:
    """Spread evenly over both ends; a single step is the last one, where sampling starts."""
    if num_steps == 1:
        return np.array([num_timesteps - 1])
    return np.round(np.linspace(0, num_timesteps - 1, num_steps))


SPACINGS: dict[str, Callable[[int, int], np.ndarray]] = {
    "trailing": _trailing,
    "leading": _leading,
    "linspace": _linspace,
}


def timesteps(num_timesteps: int, num_steps: int, spacing: str = "trailing") -> np.ndarray:
    """Choose the timesteps that a sampler visits.

    "trailing" (default) and "linspace" visit the last timestep, whose xt is nearest to the pure
    noise that sampling starts from; "leading", the habit of early code, never does.
    Source: Lin et al. (2023), Table 2 and section 3.3.

    Args:
        num_timesteps: T, the chain the model was trained on.
        num_steps: S, from 1 to T.
        spacing: "trailing", "leading" or "linspace".

    Returns:
        int64 (S,), strictly ascending, in [0, T).

    Raises:
        KgenError: the name is unknown or S is out of range.
    """
    if spacing not in SPACINGS:
        raise unknown_name("spacing", spacing, list(SPACINGS))
    if not 1 <= num_steps <= num_timesteps:
        raise KgenError(
            f"The number of sampling steps is from 1 to the model's {num_timesteps} timesteps. "
            f"Received: num_steps={num_steps}."
        )
    return SPACINGS[spacing](num_timesteps, num_steps).astype(np.int64)
