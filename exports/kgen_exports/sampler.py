"""A diffusion sampler as a table of numbers that any program can walk, and the walk itself.

Needs NumPy only, so that the runtime can use it without Keras.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np

from kgen import schedule
from kgen.errors import KgenError
from kgen.sampler_options import SAMPLERS, VARIANCES
from kgen.sampler_plans import SamplerPlan, ddim_plan, dpmpp_plan
from kgen_exports.fields import choice, integer, items, mapping, number, optional, refuse

COLUMNS = ("x0_from_xt", "x0_from_prediction", "coef_x0", "coef_xt", "coef_last", "sigma")
PREDICTIONS = ("eps", "x0", "v")
MAX_TIMESTEPS = 2**16
"""Longest chain of which a table is read."""


def x0_weights(prediction: str, alpha_bars: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the weights of xt and of the prediction in x0_hat, float64 (S,) each.

    Args:
        prediction: ``eps``, ``x0`` or ``v``.
        alpha_bars: float64 (S,), of the timesteps that are visited.

    Source: Salimans & Ho (2022), section 4, and Ho et al. (2020), eq. 15, for x0 from v and eps.
    """
    signal, noise = np.sqrt(alpha_bars), np.sqrt(1 - alpha_bars)
    return {
        "eps": (1 / signal, -noise / signal),
        "x0": (np.zeros_like(signal), np.ones_like(signal)),
        "v": (signal, -noise),
    }[prediction]


def _float32(values: np.ndarray) -> tuple[float, ...]:
    """Round to float32, which is what a step computes in, and give plain numbers."""
    return tuple(float(value) for value in values.astype(np.float32))


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplerTable:
    """The steps of a sampler in the order they are taken; each is six numbers.

    For the step of index i, with ``prediction`` the denoiser's output at ``timesteps[i]``::

        x0_hat = clip(x0_from_xt[i] * xt + x0_from_prediction[i] * prediction, -1, 1)
        xt     = coef_x0[i] * x0_hat + coef_xt[i] * xt + coef_last[i] * x0_last + sigma[i] * z

    with x0_last the x0_hat of the step before, and fresh standard normal z wherever sigma[i] > 0.
    After the last step xt is the picture.

    Sources: Ho et al. (2020), Algorithm 2 and eq. 7; Song et al. (2021, DDIM), eq. 12; Lu et al.
    (2022, DPM-Solver++), Algorithm 2; Salimans & Ho (2022), section 4, for x0 from v.

    Attributes:
        name: ``dpmpp``, ``ddim`` or ``ddpm``.
        eta: noise of dpmpp and ddim, 0 to 1; of ddpm 1, which is ddim's name for its small
            variance.
        variance: noise of ddpm, ``fixed_small`` or ``fixed_large``; None for the others.
        prediction: what the denoiser predicts: ``eps``, ``x0`` or ``v``.
        num_timesteps: length of the chain it was trained on.
        timesteps: strictly descending, in [0, num_timesteps).
        x0_from_xt, x0_from_prediction, coef_x0, coef_xt, coef_last, sigma: float32 values, one per
            step. coef_last is 0 in the first step, and in all of ddim and ddpm.
        alpha_bars: share of x0's variance left in xt, float64, one per timestep of the chain:
            what a table with other steps is made from.
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
    coef_last: tuple[float, ...]
    sigma: tuple[float, ...]
    alpha_bars: tuple[float, ...]

    @property
    def num_steps(self) -> int:
        """How often the denoiser is called for a picture."""
        return len(self.timesteps)

    @property
    def stochastic(self) -> bool:
        """Whether any step adds noise."""
        return any(s > 0 for s in self.sigma)

    @property
    def multistep(self) -> bool:
        """Whether any step uses what the one before it saw."""
        return any(c != 0 for c in self.coef_last)

    def coefficients(self) -> np.ndarray:
        """Return the six numbers of every step, float32 (S, 6), in the order of `COLUMNS`."""
        return np.array([getattr(self, column) for column in COLUMNS], np.float32).T.copy()

    @classmethod
    def of(cls, plan: SamplerPlan, prediction: str, alpha_bars: np.ndarray) -> Self:
        """Write down a plan.

        Args:
            plan: of a sampler, on the chain of `alpha_bars`.
            prediction: what the denoiser predicts.
            alpha_bars: float64 (num_timesteps,).
        """
        from_xt, from_prediction = x0_weights(prediction, alpha_bars[plan.timesteps])
        return cls(
            name=plan.name,
            eta=plan.eta,
            variance=plan.variance,
            prediction=prediction,
            num_timesteps=len(alpha_bars),
            timesteps=tuple(plan.timesteps.tolist()),
            x0_from_xt=_float32(from_xt),
            x0_from_prediction=_float32(from_prediction),
            coef_x0=_float32(plan.coef_x0),
            coef_xt=_float32(plan.coef_xt),
            coef_last=_float32(plan.coef_last),
            sigma=_float32(plan.sigma),
            alpha_bars=tuple(alpha_bars.tolist()),
        )

    def respaced(self, num_steps: int, eta: float = 0.0) -> Self:
        """Make the table with another number of steps, on the same chain.

        Of dpmpp it is dpmpp again, of ddim and ddpm it is ddim, whose eta = 1 is ddpm with the
        small variance. Timesteps are spaced "trailing", as in `kgen.schedule.timesteps`.

        Args:
            num_steps: 1 to `num_timesteps`.
            eta: noise, 0 to 1.

        Raises:
            KgenError: one of them is out of range.
        """
        integer(1, self.num_timesteps)(num_steps, "num_steps")
        if not 0.0 <= number(eta, "eta") <= 1.0:
            raise refuse("eta", "from 0 (deterministic) to 1 (ddpm)", eta)
        tables = schedule.ScheduleTables.from_alpha_bars(np.array(self.alpha_bars))
        timesteps = schedule.timesteps(self.num_timesteps, num_steps)
        make = dpmpp_plan if self.name == "dpmpp" else ddim_plan
        return self.of(make(tables, timesteps, eta), self.prediction, tables.alpha_bars)

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "num_steps": self.num_steps, "stochastic": self.stochastic}

    @classmethod
    def from_mapping(cls, values: Any, where: str = "sampler") -> Self:
        """Read what :meth:`to_mapping` wrote.

        Args:
            values: from JSON.
            where: the place of it, for errors.

        Raises:
            KgenError: a field is missing, unknown, of another type or out of range.
        """
        names = {field.name for field in fields(cls)}
        found = mapping(values, where, names | {"num_steps", "stochastic"})
        length = integer(1, MAX_TIMESTEPS)(found["num_timesteps"], f"{where}.num_timesteps")
        readers: dict[str, Callable[[Any, str], Any]] = {
            "name": choice(SAMPLERS),
            "eta": number,
            "variance": optional(choice(VARIANCES)),
            "prediction": choice(PREDICTIONS),
            "num_timesteps": integer(1, MAX_TIMESTEPS),
            "timesteps": lambda v, place: items(v, place, integer(0, length - 1)),
        }
        for column in (*COLUMNS, "alpha_bars"):
            readers[column] = lambda v, place: items(v, place, number)
        table = cls(**{n: read(found[n], f"{where}.{n}") for n, read in readers.items()})
        table._check(where)
        if (found["num_steps"], found["stochastic"]) != (table.num_steps, table.stochastic):
            raise KgenError(
                f"{where}.num_steps and {where}.stochastic follow from its lists: "
                f"{table.num_steps} and {table.stochastic}. Received: others."
            )
        return table

    def _check(self, where: str) -> None:
        """Refuse lists that do not belong together, and numbers that no sampler has."""
        steps, bars = np.array(self.timesteps), np.array(self.alpha_bars)
        rows = {column: len(getattr(self, column)) for column in COLUMNS}
        largest = max((abs(n) for c in COLUMNS for n in getattr(self, c)), default=0.0)
        ddpm = self.name == "ddpm"
        for fine, rule, received in (
            (0.0 <= self.eta <= 1.0, "eta is from 0 to 1", self.eta),
            (ddpm == (self.variance is not None), "only ddpm has a variance", self.variance),
            (len(steps) > 0 and bool(np.all(np.diff(steps) < 0)), "timesteps descend", steps),
            (set(rows.values()) == {len(steps)}, f"all have {len(steps)} numbers", rows),
            (largest <= float(np.finfo(np.float32).max), "numbers are of float32", largest),
            (min(self.sigma, default=0.0) >= 0, "sigma is at least 0", self.sigma),
            (self.coef_last[:1] in ((), (0.0,)), "coef_last begins with 0", self.coef_last),
            (len(bars) == self.num_timesteps, "alpha_bars has num_timesteps numbers", len(bars)),
            (bool(np.all((bars > 0) & (bars < 1))), "alpha_bars are above 0, below 1", bars),
            (bool(np.all(np.diff(bars) < 0)), "alpha_bars fall", bars),
        ):
            if not fine:
                shown = " ".join(str(received).split())
                raise KgenError(f"In {where}, {rule}. Received: {shown[:100]}.")


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
    x0_last = np.zeros_like(xt)
    rows = table.coefficients()
    for i, (t, row) in enumerate(zip(table.timesteps, rows, strict=True)):
        prediction = predict(xt, np.full(len(xt), t, np.int32))
        x0_hat = np.clip(row[0] * xt + row[1] * prediction, -1.0, 1.0)
        xt = row[2] * x0_hat + row[3] * xt + row[4] * x0_last
        if row[5] > 0:
            xt = xt + row[5] * step_noise(i)
        x0_last = x0_hat
        if on_step is not None:
            on_step(i, xt)
    return xt
