"""The bar to beat: pictures drawn from a normal distribution of pixels.

It knows the mean and the covariance of the pixels, and nothing else. A trained generator that is
not better has learned nothing that a page of linear algebra does not know.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from kgen import noise
from kgen.data.images import ImageSource
from kgen.evaluation.metrics.frechet import Moments
from kgen.evaluation.metrics.neighbours import choose
from kgen.pictures import to_uint8

LARGEST = 4096
"""Values of a picture up to which its whole covariance is computed: 134 MB."""
COMPONENTS = 256
"""Directions that are kept of larger pictures."""
_MEMORY = 2**28  # bytes of the pictures that directions of larger ones are computed from
_MOST = 1024  # pictures of them: the work grows with the square

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Gaussian:
    """A normal distribution of pictures with d values each.

    Attributes:
        mean: float64 (d,), in levels 0 to 255.
        basis: float64 (d, k), orthogonal columns, each as long as the standard deviation along it
            beyond `rest`.
        rest: standard deviation in every direction beside those of the basis.
        shape: (height, width, channels) of a picture.
    """

    mean: np.ndarray
    basis: np.ndarray
    rest: float
    shape: tuple[int, int, int]

    def draw(self, n: int, seed: int) -> Iterator[np.ndarray]:
        """Draw pictures, uint8 (a few, height, width, channels) at a time, n in all.

        Picture i depends on the seed and i alone.
        """
        d, k = self.basis.shape
        for first in range(0, n, _step(d)):
            count = min(_step(d), n - first)
            x = noise.normal(seed, (count, k), start=first * k) @ self.basis.T + self.mean
            if self.rest:
                x += self.rest * noise.normal(seed, (count, d), stream=1, start=first * d)
            yield to_uint8(x, 0, 255).reshape(count, *self.shape)


def fit_gaussian(images: ImageSource, progress: Progress | None = None) -> Gaussian:
    """Fit the distribution to pictures, which are read once, a few at a time.

    Of pictures of at most 4,096 values, the mean and the covariance are exact. Of larger ones the
    mean and the total variance are; the directions are the first 256 principal components of as
    many pictures as 256 MB hold, at most 1,024, and what they leave is spread evenly.

    Source: Tipping & Bishop (1999), "Probabilistic principal component analysis", eq. 7 and 8.

    Args:
        images: what to fit.
        progress: called with (pictures done, pictures in all).
    """
    n, d = len(images), int(np.prod(images.shape))
    if d > LARGEST:
        return _fit_large(images, progress)
    chunks = _chunks(images, progress)
    total = Moments.of(next(chunks))
    for chunk in chunks:
        total = total + Moments.of(chunk)
    values, vectors = np.linalg.eigh(total.covariance)
    kept = slice(max(0, d - n + 1), None)  # the n - 1 largest: n pictures span no more
    basis = vectors[:, kept] * np.sqrt(np.maximum(values[kept], 0.0))
    return Gaussian(mean=total.mean, basis=basis, rest=0.0, shape=images.shape)


def _fit_large(images: ImageSource, progress: Progress | None) -> Gaussian:
    """Fit to pictures whose covariance would not fit into memory."""
    n, d = len(images), int(np.prod(images.shape))
    sums, squares = np.zeros(d), 0.0
    for chunk in _chunks(images, progress):
        sums += chunk.sum(axis=0, dtype=np.float64)
        squares += float(np.square(chunk, dtype=np.float64).sum())
    mean = sums / n
    variance = max(0.0, squares - n * float(mean @ mean)) / max(1, n - 1)
    some = choose(n, max(2, min(_MOST, _MEMORY // (4 * d))), 0)
    x = images.gather(np.sort(some)).reshape(len(some), d).astype(np.float32)
    x -= mean.astype(np.float32)
    # The rows' inner products have the covariance's eigenvalues, and are a smaller matrix.
    values, vectors = np.linalg.eigh((x @ x.T).astype(np.float64) / max(1, len(x) - 1))
    kept = slice(max(1, len(x) - COMPONENTS), None)
    values, vectors = np.maximum(values[kept], 1e-12), vectors[:, kept]
    directions = (x.T @ vectors) / np.sqrt(values * max(1, len(x) - 1))
    rest = max(0.0, variance - float(values.sum())) / (d - len(values))
    basis = directions * np.sqrt(np.maximum(values - rest, 0.0))
    return Gaussian(mean=mean, basis=basis, rest=float(np.sqrt(rest)), shape=images.shape)


def _chunks(images: ImageSource, progress: Progress | None) -> Iterator[np.ndarray]:
    """Yield all pictures as rows, uint8 (a few, values)."""
    n, step = len(images), _step(int(np.prod(images.shape)))
    for first in range(0, n, step):
        last = min(n, first + step)
        yield images.gather(np.arange(first, last)).reshape(last - first, -1)
        if progress:
            progress(last, n)


def _step(values: int) -> int:
    """Return how many pictures of so many values are in memory at a time: 32 MB in float64."""
    return max(1, 2**22 // values)
