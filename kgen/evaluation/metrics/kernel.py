"""The kernel distance (KID) between two sets of features: unbiased at any number of pictures."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from kgen.evaluation.record import Value

_TILE = 2048  # rows and columns of the kernel matrix that exist at a time: 32 MB


def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return ``(x . y / d + 1)^3`` for all pairs of rows, float64 (n, m).

    Source: Binkowski et al. (2018), section 4.
    """
    k = x @ y.T
    k /= x.shape[1]
    k += 1.0
    return k * k * k


def standardised(rows: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Shift and scale features by the mean and standard deviation of the reference's.

    The cubic kernel is not scale-free: without this the largest features decide alone. A feature
    that is constant in the reference is only shifted.

    Args:
        rows: (n, d).
        reference: (m, d).

    Returns:
        float64 (n, d).
    """
    sd = reference.std(axis=0, dtype=np.float64)
    return (rows - reference.mean(axis=0, dtype=np.float64)) / np.where(sd > 0, sd, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class KernelSums:
    """What the kernel of a set with itself adds up to; the matrix is never kept.

    Attributes:
        rows: float64 (n, d), n >= 2.
        means: float64 (n,), of each row with all others.
        mean: of all pairs of different rows.
        second: variance of the part of the kernel that neither row explains alone.
    """

    rows: np.ndarray
    means: np.ndarray
    mean: float
    second: float

    @classmethod
    def of(cls, rows: np.ndarray) -> Self:
        """Add up the kernel of rows (n, d) with each other."""
        n = len(rows)
        sums, squares = np.zeros(n), 0.0
        for i, j in _tiles(n, n):
            if i.start > j.start:  # the matrix is symmetric: its upper half is enough
                continue
            k = kernel(rows[i], rows[j])
            if i == j:
                np.fill_diagonal(k, 0.0)
            else:
                sums[j] += k.sum(axis=0)
            sums[i] += k.sum(axis=1)
            squares += np.vdot(k, k) * (1 if i == j else 2)
        means = sums / (n - 1)
        mean = float(means.mean())
        second = squares / (n * (n - 1)) - 2 * np.mean(means**2) + mean**2
        return cls(rows, means, mean, max(0.0, float(second)))


def kernel_distance(x: KernelSums, y: KernelSums) -> Value:
    """Compare two sets by all moments up to the third: 0 on average where both are draws of one.

    The unbiased estimate of the squared maximum mean discrepancy; it may be negative. Its standard
    deviation is that of a two-sample U-statistic: the variance of each row's influence, which is
    the first order, and the rest, the second, which alone is left between equal distributions.
    Estimated from the same rows, the first order comes out too large by twice the second. What
    :func:`standardised` divides by is taken as given.

    Source: Gretton et al. (2012), eq. 3; the variance as in Sutherland et al. (2017), section 3.
    """
    n, m = len(x.rows), len(y.rows)
    to_y, to_x, squares = np.zeros(n), np.zeros(m), 0.0
    for i, j in _tiles(n, m):
        k = kernel(x.rows[i], y.rows[j])
        to_y[i] += k.sum(axis=1)
        to_x[j] += k.sum(axis=0)
        squares += np.vdot(k, k)
    to_y, to_x = to_y / m, to_x / n
    mean = float(to_y.mean())
    between = squares / (n * m) - np.mean(to_y**2) - np.mean(to_x**2) + mean**2
    first = 4 * ((x.means - to_y).var(ddof=1) / n + (y.means - to_x).var(ddof=1) / m)
    second = (
        2 * x.second / (n * (n - 1))
        + 2 * y.second / (m * (m - 1))
        + 4 * max(0.0, float(between)) / (n * m)
    )
    return Value(value=x.mean + y.mean - 2 * mean, sd=float(np.sqrt(max(first - second, second))))


def _tiles(n: int, m: int) -> Iterator[tuple[slice, slice]]:
    """Cut a matrix (n, m) into tiles."""
    for i in range(0, n, _TILE):
        for j in range(0, m, _TILE):
            yield slice(i, min(n, i + _TILE)), slice(j, min(m, j + _TILE))
