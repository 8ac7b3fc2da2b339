"""The normal distribution on the host, in float64, accurate in its tails."""

import math

import numpy as np

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
_FAR = 20.0
"""Standard deviations beyond which the tail's series is used: its first term left out, 105 / z**8,
is there 4e-9; `erfc` ends at 38."""

_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def cdf(x: np.ndarray) -> np.ndarray:
    """Return Phi(x), the share of N(0, 1) below x, float64 of x's shape."""
    return 0.5 * _erfc(-np.asarray(x, np.float64) / math.sqrt(2))


def log_tail(z: np.ndarray) -> np.ndarray:
    """Return log(1 - Phi(z)), float64 of z's shape, for z of at least -8 and however large.

    Far out, ``1 - Phi(z) = phi(z) / z * (1 - 1 / z**2 + 3 / z**4 - 15 / z**6 + ...)``.

    Source: Abramowitz & Stegun (1964), 26.2.12.
    """
    z = np.asarray(z, np.float64)
    near = np.log(0.5 * _erfc(np.minimum(z, _FAR) / math.sqrt(2)))
    far = np.maximum(z, _FAR)
    r = 1 / (far * far)
    tail = -0.5 * far * far - _HALF_LOG_2PI - np.log(far) + np.log1p(r * (-1 + r * (3 - 15 * r)))
    return np.where(z > _FAR, tail, near)


def log_bin(x: np.ndarray, mean: np.ndarray, sd: float, half: float) -> np.ndarray:
    """Return the log-probability that a normal number falls into the bin of a grey level.

    The bins of -1 and 1, the lowest and highest level, reach to infinity.

    Source: Ho et al. (2020), eq. 13; exactly, where their code bounds it by log(1e-12) and
    approximates Phi.

    Args:
        x: float (...) in [-1, 1], centres of bins.
        mean: float (...), of the normal distribution.
        sd: its standard deviation, above 0.
        half: half the width of a bin, 1/255 for 8 bits.

    Returns:
        float64 (...), nats, finite wherever x and mean are.
    """
    x, mean = np.asarray(x, np.float64), np.asarray(mean, np.float64)
    lowest, highest = x < -1 + half / 2, x > 1 - half / 2
    # Mirrored so that the bin is above the mean, where the tail keeps its digits.
    distance = np.abs(x - mean)
    low = log_tail((distance - half) / sd)
    high = log_tail((distance + half) / sd)
    inner = low + np.log(-np.expm1(high - low))
    below, above = log_tail((mean - x - half) / sd), log_tail((x - mean - half) / sd)
    return np.where(lowest, below, np.where(highest, above, inner))
