"""Whether a generator repeats its training pictures, or itself.

Pictures are compared by their pixels, so that neither an extractor nor its blind spots come
between them. What a shift by one pixel hides stays hidden: no flag is no proof.
"""

from collections.abc import Callable, Iterator

import numpy as np

from kgen.data.images import ImageSource
from kgen.errors import KgenError
from kgen.evaluation.metrics.neighbours import choose
from kgen.evaluation.record import Findings, Value

MOST = 5000
"""Samples and held-out pictures that are compared with the training pictures: the first samples,
and held-out ones that the seed chooses."""
FEWEST = 20
"""Pictures of each kind without which nothing is said."""
PERCENTILE = 1
"""Of the held-out pictures' distances: nearer samples are copies."""
NEAR_EQUAL = 4.0
"""Two pictures are near-equal when their values differ by at most so many of 255 levels, root mean
square. The nearest two of 3,000 real pictures of clothes differ by 13."""
SIDE = 32
"""Larger pictures are averaged down to at most so many pixels a side before they are compared."""
PAIRS = 16
"""Pairs of sample and training picture in the picture ``closest``."""
COPYING, REPEATING = 0.05, 0.02
"""Shares of copies and of duplicates above which a generator is said to copy, or repeat itself."""
_ENOUGH = 500  # held-out pictures of which a percentile is not rough: five are below it
_DRAWS = 200  # of the bootstrap
_QUERIES, _ROWS = 1024, 2048  # distances that exist at a time: 8 MB

Progress = Callable[[int, int], None]


def examine(
    training: ImageSource,
    held_out: ImageSource,
    samples: ImageSource,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Findings:
    """Compare samples with the training pictures and with each other.

    Args:
        training: what the generator was trained on.
        held_out: real pictures that it was not trained on, the measure of what is near.
        samples: what it draws.
        seed: chooses among the held-out pictures, and seeds the bootstrap.
        progress: called with (training pictures compared, training pictures in all).

    Returns:
        Values ``nearest_train``, the median distance of a sample to its nearest training picture
        over that of a held-out picture; ``copies``, the share of samples nearer than the first
        percentile of those; ``duplicates``, the share of samples that are near-equal to another.
        The picture ``closest``: the closest samples, each followed by its training picture.
        Warnings.

    Raises:
        KgenError: pictures of different sizes, or too few of them.

    Source: the ratio of medians and the percentile are in the spirit of Meehan et al. (2020), "A
    non-parametric test to detect data-copying in generative models", section 3.
    """
    _check({"training": training, "held-out": held_out, "generated": samples})
    drawn = _rows(samples.gather(np.arange(min(len(samples), MOST))))
    real = _rows(held_out.gather(np.sort(choose(len(held_out), MOST, seed))))
    index, distances = _nearest(np.concatenate([drawn, real]), training, progress)
    near, beside = distances[: len(drawn)], distances[len(drawn) :]
    repeated, different = _repetitions(drawn)
    values = _values(near, beside, np.random.default_rng(seed))
    share = float(repeated.mean())
    among_real, _ = _repetitions(real[: len(drawn)])
    values["duplicates"] = Value(
        value=share,
        # Duplicates come in pairs: their number varies twice as much as that of single events.
        sd=float(np.sqrt(2 * share * (1 - share) / len(drawn))),
        floor=float(among_real.mean()),
    )
    return Findings(
        values=values,
        pictures={"closest": _closest(near, index[: len(drawn)], samples, training)},
        warnings=_warnings(values, len(drawn), different, len(real)),
    )


def _check(sources: dict[str, ImageSource]) -> None:
    expected = sources["training"].shape
    for name, images in sources.items():
        if images.shape != expected:
            raise KgenError(
                f"Only pictures of one size compare: expected {' x '.join(map(str, expected))}. "
                f"Received: {name} pictures of {' x '.join(map(str, images.shape))}."
            )
        if len(images) < FEWEST:
            raise KgenError(
                f"Memorisation takes at least {FEWEST} pictures of each kind. Received: "
                f"{len(images)} {name} pictures."
            )


def _rows(images: np.ndarray) -> np.ndarray:
    """Turn uint8 pictures into rows float32 (n, d), small enough to compare, and centred."""
    x = images.astype(np.float32)
    pool = -(-max(x.shape[1:3]) // SIDE)
    if pool > 1:
        for axis in (1, 2):
            edges = np.arange(0, x.shape[axis], pool)
            sizes = np.diff(np.append(edges, x.shape[axis])).astype(np.float32)
            x = np.add.reduceat(x, edges, axis=axis)
            x /= sizes.reshape([-1 if i == axis else 1 for i in range(4)])
    return x.reshape(len(x), -1) - 127.5


def _tiles(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield squared distances float32 of some rows of x to all of y, at most a tile's size."""
    y_norms = np.einsum("ij,ij->i", y, y)
    for i in range(0, len(x), _QUERIES):
        rows = slice(i, min(len(x), i + _QUERIES))
        squares = x[rows] @ y.T
        squares *= -2.0
        squares += y_norms
        squares += np.einsum("ij,ij->i", x[rows], x[rows])[:, None]
        yield rows, squares


def _nearest(
    queries: np.ndarray, training: ImageSource, progress: Progress | None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest training picture of each row.

    Returns:
        int64 (n,), its number; float64 (n,), root mean square difference in levels.
    """
    best = np.full(len(queries), np.inf, dtype=np.float32)
    index = np.zeros(len(queries), dtype=np.int64)
    for first in range(0, len(training), _ROWS):
        last = min(len(training), first + _ROWS)
        some = _rows(training.gather(np.arange(first, last)))
        for rows, squares in _tiles(queries, some):
            at = squares.argmin(axis=1)
            least = squares[np.arange(len(at)), at]
            better = least < best[rows]
            best[rows] = np.where(better, least, best[rows])
            index[rows] = np.where(better, at + first, index[rows])
        if progress:
            progress(last, len(training))
    # Rounding: 1e-7 of the norms, so levels of 0.1 where pictures are equal.
    return index, np.sqrt(np.maximum(best, 0.0).astype(np.float64) / queries.shape[1])


def _repetitions(rows: np.ndarray) -> tuple[np.ndarray, int]:
    """Find near-equal rows.

    Returns:
        bool (n,), whether a row has another that is near-equal; the number of rows that have none
        before them, which is how many different ones there are.
    """
    n, limit = len(rows), NEAR_EQUAL**2 * rows.shape[1]
    repeated, again = np.zeros((2, n), dtype=bool)
    for first in range(0, n, _ROWS):
        columns = slice(first, min(n, first + _ROWS))
        for some, squares in _tiles(rows, rows[columns]):
            earlier = np.arange(n)[columns] < np.arange(n)[some, None]
            equal = (squares <= limit) & (np.arange(n)[columns] != np.arange(n)[some, None])
            repeated[some] |= equal.any(axis=1)
            again[some] |= (equal & earlier).any(axis=1)
    return repeated, n - int(again.sum())


def _values(near: np.ndarray, beside: np.ndarray, rng: np.random.Generator) -> dict[str, Value]:
    """Compare distances of samples, (n,), with those of held-out pictures, (m,)."""

    def both(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
        median = max(float(np.median(b)), 1e-6)
        return float(np.median(a)) / median, float(np.mean(a < np.percentile(b, PERCENTILE)))

    draws = [
        both(rng.choice(near, len(near)), rng.choice(beside, len(beside))) for _ in range(_DRAWS)
    ]
    ratio, copies = both(near, beside)
    ratio_sd, copies_sd = np.std(draws, axis=0, ddof=1)
    return {
        "nearest_train": Value(value=ratio, sd=float(ratio_sd), floor=1.0),
        "copies": Value(value=copies, sd=float(copies_sd), floor=PERCENTILE / 100),
    }


def _closest(
    near: np.ndarray, index: np.ndarray, samples: ImageSource, training: ImageSource
) -> np.ndarray:
    """Return the closest pairs, each training picture once: uint8 (2 pairs, H, W, C)."""
    order = np.argsort(near, kind="stable")
    _, firsts = np.unique(index[order], return_index=True)
    chosen = order[np.sort(firsts)[:PAIRS]]
    pairs = np.stack([samples.gather(chosen), training.gather(index[chosen])], axis=1)
    return pairs.reshape(-1, *samples.shape)


def _warnings(values: dict[str, Value], n: int, different: int, held_out: int) -> tuple[str, ...]:
    said = []
    copies, duplicates = values["copies"], values["duplicates"]
    if _above(copies, COPYING):
        said.append(
            f"{100 * copies.value:.0f} % of the samples are nearer to a training picture than "
            f"{100 - PERCENTILE} % of held-out pictures are: the generator copies."
        )
    if _above(duplicates, REPEATING):
        said.append(
            f"{100 * duplicates.value:.0f} % of the samples have a near-equal among the samples: "
            f"of {n:,} about {different:,} are different."
        )
    if held_out < _ENOUGH:
        said.append(
            f"Copies are counted against {held_out} held-out pictures: the first percentile of so "
            "few is rough."
        )
    return tuple(said)


def _above(value: Value, limit: float) -> bool:
    """Say whether a share is above a limit, and beyond its noise above that of real pictures."""
    floor, sd = value.floor or 0.0, value.sd or 0.0
    return value.value > max(limit, floor + 4 * sd)
