"""A diffusion sampler as a table of numbers that any program can walk, and the walk itself.

Needs NumPy only, so that the runtime can use it without Keras.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

COLUMNS = ("x0_from_xt", "x0_from_prediction", "coef_x0", "coef_xt", "sigma")


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplerTable:
    """The steps of a sampler in the order they are taken; each is five numbers.

    For the step of index i, with ``prediction`` the denoiser's output at ``timesteps[i]``::

        x0_hat = clip(x0_from_xt[i] * xt + x0_from_prediction[i] * prediction, -1, 1)
        xt     = coef_x0[i] * x0_hat + coef_xt[i] * xt + sigma[i] * z

    with fresh standard normal z wherever sigma[i] > 0. After the last step xt is the picture.

    Sources: Ho et al. (2020), Algorithm 2 and eq. 7; Song et al. (2021, DDIM), eq. 12; Salimans &
    Ho (2022), section 4, for x0 from a prediction of v.

    Attributes:
        name: ``ddim`` or ``ddpm``.
        eta: noise of ddim, 0 to 1.
        variance: noise of ddpm, ``fixed_small`` or ``fixed_large``; None for ddim.
        prediction: what the denoiser predicts: ``eps``, ``x0`` or ``v``.
        num_timesteps: length of the chain it was trained on.
        timesteps: strictly descending, in [0, num_timesteps).
        x0_from_xt, x0_from_prediction, coef_x0, coef_xt, sigma: float32 values, one per step.
    """

    name: str
    eta: float
    variance: str | None
    prediction: str
    num_timesteps: int
    timesteps: tuple[int, ...]
    x0_from_xt: tuple[float, ...]
    x0_from_prediction: tuple[float, ...]
    coef_x0: tuple[float, ...]
    coef_xt: tuple[float, ...]
    sigma: tuple[float, ...]

    @property
    def num_steps(self) -> int:
        """How often the denoiser is called for a picture."""
        return len(self.timesteps)

    @property
    def stochastic(self) -> bool:
        """Whether any step adds noise."""
        return any(s > 0 for s in self.sigma)

    def coefficients(self) -> np.ndarray:
        """Return the five numbers of every step, float32 (S, 5), in the order of `COLUMNS`."""
        return np.array([getattr(self, column) for column in COLUMNS], np.float32).T.copy()

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "num_steps": self.num_steps, "stochastic": self.stochastic}

    @classmethod
    def from_mapping(cls, values: dict[str, Any]) -> Self:
        """Read what :meth:`to_mapping` wrote."""
        known: dict[str, Any] = {name: values[name] for name in cls.__dataclass_fields__}
        for name, value in known.items():
            if isinstance(value, list):
                known[name] = tuple(value)
        return cls(**known)


def walk(
    predict: Callable[[np.ndarray, np.ndarray], np.ndarray],
    noise: np.ndarray,
    table: SamplerTable,
    step_noise: Callable[[int], np.ndarray],
    on_step: Callable[[int, np.ndarray], None] | None = None,
) -> np.ndarray:
    """Turn noise into pictures on the host, calling the denoiser once for each step.

    Args:
        predict: (xt float32 (B, H, W, C), t int32 (B,)) -> prediction of xt's shape.
        noise: x_T, float32 (B, H, W, C).
        table: the steps.
        step_noise: from the index of a step to its z; called only where sigma > 0.
        on_step: called after each step with its index and the xt that it made.

    Returns:
        float32 (B, H, W, C), in [-1, 1].
    """
    xt = noise.astype(np.float32)
    rows = table.coefficients()
    for i, (t, row) in enumerate(zip(table.timesteps, rows, strict=True)):
        prediction = predict(xt, np.full(len(xt), t, np.int32))
        x0_hat = np.clip(row[0] * xt + row[1] * prediction, -1.0, 1.0)
        xt = row[2] * x0_hat + row[3] * xt
        if row[4] > 0:
            xt = xt + row[4] * step_noise(i)
        if on_step is not None:
            on_step(i, xt)
    return xt
