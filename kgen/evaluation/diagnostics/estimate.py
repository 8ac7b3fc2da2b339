"""Numbers that are estimated of a sample, with how far another sample might have moved them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from kgen.evaluation.record import Findings, Series, Value
from kgen.noise import philox

RESAMPLES = 64
"""Draws of a bootstrap: its standard deviation is then known to about 9 %."""
_BOOTSTRAP_DOMAIN = 16  # keeps these random numbers apart from those of orders and splits


def mean(samples: np.ndarray, *, bar: float | None = None) -> Value:
    """Estimate a mean: `samples`, float (n,), are averaged; `sd` is the mean's standard error."""
    samples = np.asarray(samples, np.float64)
    with np.errstate(invalid="ignore"):  # an infinite sample is found by only_finite
        sd = float(samples.std(ddof=1) / np.sqrt(len(samples))) if len(samples) > 1 else None
    return Value(value=float(samples.mean()), sd=sd, bar=bar)


def bootstrap_sd(
    statistic: Callable[..., float], *arrays: np.ndarray, seed: int = 0, draws: int = RESAMPLES
) -> float:
    """Estimate the standard deviation of what is no mean, by drawing the rows again.

    Source: Efron (1979), section 2, method 2.

    Args:
        statistic: a number of the arrays' rows.
        *arrays: of n rows each; the same rows of all are drawn, with replacement.
        seed: of the draws.
        draws: how many.
    """
    rng = np.random.Generator(philox(seed, 0, domain=_BOOTSTRAP_DOMAIN))
    n = len(arrays[0])
    rows = (rng.integers(0, n, n) for _ in range(draws))
    return float(np.std([statistic(*(array[i] for array in arrays)) for i in rows], ddof=1))


def spread(n: int, count: int) -> np.ndarray:
    """Choose at most `count` of n pictures, evenly from the first to the last: int64 (m,)."""
    return np.linspace(0, n - 1, min(n, count)).round().astype(np.int64)


def only_finite(found: Findings) -> Findings:
    """Leave out what is NaN or infinite, with a warning that says what."""
    values = {k: _finite_sides(v) for k, v in found.values.items() if np.isfinite(v.value)}
    series = {k: s for k, s in found.series.items() if _is_finite(s)}
    lost = [k for k in found.values if k not in values]
    lost += [k for k in found.series if k not in series]
    said = tuple(
        f"{name} is not a finite number and is left out: the model's own numbers overflow."
        for name in lost
    )
    return replace(found, values=values, series=series, warnings=found.warnings + said)


def _finite_sides(value: Value) -> Value:
    """Forget what is beside a number and not finite."""
    sides = {name: getattr(value, name) for name in ("sd", "floor", "bar", "bias")}
    kept = {k: v if v is not None and np.isfinite(v) else None for k, v in sides.items()}
    return replace(value, **kept)


def _is_finite(series: Series) -> bool:
    numbers = [y for line in series.lines.values() for y in line]
    numbers += [x for x in series.x if not isinstance(x, str)]
    return bool(np.isfinite(numbers).all())
