"""Precision, recall, density and coverage: how much of each side the other side is near to."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kgen.evaluation.record import Value
from kgen.noise import philox

K = 5
"""Which neighbour the balls reach to."""
MOST = 5000
"""Rows of each side that are looked at: the work grows with their square."""
PARTS, SHUFFLES = 5, 4
"""The standard deviation is that over so many parts, so many times cut anew."""
_CELLS = 2**22  # distances that exist at a time: 32 MB
_CHOICE_DOMAIN = 3  # keeps the choice's random numbers apart from those of the order and the split


def choose(total: int, count: int, seed: int) -> np.ndarray:
    """Choose rows without replacement, in random order: int64 (min(count, total),).

    The first of the permutation that Philox's raw stream gives, so the same on every platform.
    """
    keys = philox(seed, 0, domain=_CHOICE_DOMAIN).random_raw(total)
    return np.argsort(keys, kind="stable")[:count]


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbours:
    """What balls around the rows of each side hold of the other side; each with its sd.

    A ball reaches to the k-th nearest row of its own side, not counting its centre.

    Attributes:
        precision: share of generated rows inside any real ball. Outliers among the real rows have
            large balls: it takes noise for real.
        recall: share of real rows inside any generated ball.
        density: real balls that a generated row lies in, over k; 1 on average between equals.
        coverage: share of real balls that hold a generated row.
    """

    precision: Value
    recall: Value
    density: Value
    coverage: Value


def neighbours(
    reference: np.ndarray, generated: np.ndarray, k: int = K, *, sd: bool = True
) -> Neighbours:
    """Compare two sets of features by their nearest neighbours.

    The standard deviations are those over fifths of both sides, scaled to the whole: means of
    what happens within k neighbours vary as 1 / sqrt(n). (A jackknife is up to twice too large,
    since a row counts through its neighbours, too, and a bootstrap's repeated rows shrink balls.)

    Args:
        reference: real rows (n, d), n > k.
        generated: rows (m, d), m > k.
        k: which neighbour the balls reach to.
        sd: whether to estimate the standard deviations, which takes most of the time.

    Source: Kynkäänniemi et al. (2019), eq. 1 and 2, for precision and recall; Naeem et al. (2020),
    eq. 4 and 5, for density and coverage. The balls are closed, as in the former.
    """
    real, fake = _centred(reference, generated)
    found = _shares(real, fake, k)
    spread = _spread(real, fake, k) if sd else [None] * len(found)
    values = [Value(value=float(v), sd=s) for v, s in zip(found, spread, strict=True)]
    return Neighbours(
        **dict(zip(("precision", "recall", "density", "coverage"), values, strict=True))
    )


def _shares(real: np.ndarray, fake: np.ndarray, k: int) -> np.ndarray:
    """Return precision, recall, density and coverage, float64 (4,)."""
    real_radii, fake_radii = _radii(real, k), _radii(fake, k)
    balls = np.zeros(len(fake), dtype=np.int64)  # real ones around each generated row
    covered, recalled = np.zeros((2, len(real)), dtype=bool)
    for rows, squares in _blocks(real, fake):
        inside = squares <= real_radii[rows, None]
        balls += inside.sum(axis=0)
        covered[rows] = inside.any(axis=1)
        recalled[rows] = (squares <= fake_radii).any(axis=1)
    return np.array([(balls > 0).mean(), recalled.mean(), balls.mean() / k, covered.mean()])


def _spread(real: np.ndarray, fake: np.ndarray, k: int) -> list[float | None]:
    """Estimate the standard deviations of :func:`_shares`; None where parts are too small."""
    if min(len(real), len(fake)) < 2 * k * PARTS:
        return [None] * 4
    variances = []
    for shuffle in range(SHUFFLES):
        a, b = (x[choose(len(x), len(x), shuffle)] for x in (real, fake))
        parts = [_shares(a[i::PARTS], b[i::PARTS], k) for i in range(PARTS)]
        variances.append(np.var(parts, axis=0, ddof=1) / PARTS)
    return [float(v) for v in np.sqrt(np.mean(variances, axis=0))]


def _centred(*sets: np.ndarray) -> list[np.ndarray]:
    """Shift all by one mean, in float64: distances stay, rounding in their products shrinks."""
    mean = sets[0].mean(axis=0, dtype=np.float64)
    return [rows - mean for rows in sets]


def _blocks(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield squared distances of some rows of x to all of y, float64 (rows, m)."""
    x_norms, y_norms = (x * x).sum(axis=1), (y * y).sum(axis=1)
    step = max(1, _CELLS // len(y))
    for i in range(0, len(x), step):
        rows = slice(i, min(len(x), i + step))
        sums = x_norms[rows, None] + y_norms
        squares = sums - 2 * (x[rows] @ y.T)
        # Equal rows are at distance 0, whatever rounding says: sets with repetitions are the point.
        squares[squares < 1e-12 * sums] = 0.0
        yield rows, squares


def _radii(x: np.ndarray, k: int) -> np.ndarray:
    """Return squared distances to the k-th neighbour, not counting the row itself, float64 (n,)."""
    radii = np.empty(len(x))
    for rows, squares in _blocks(x, x):
        squares[np.arange(len(squares)), np.arange(rows.start, rows.stop)] = np.inf
        radii[rows] = np.partition(squares, k - 1, axis=1)[:, k - 1]
    return radii
