"""Noise made on the host, so that one seed draws the same numbers everywhere.

The backends' own generators differ (JAX keys, TensorFlow's stateless ops, PyTorch's generators),
and an app that runs an exported model has none of them. What must agree is drawn by a generator
that any language can rebuild, specified in docs/noise.md: :func:`normal`. What only has to be
drawn again later, such as the order of the data, comes from NumPy's own: :func:`philox`.
"""

from collections.abc import Sequence

import numpy as np

from kgen.errors import KgenError

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)  # of the golden ratio and of sqrt(3)
_ROUNDS = 10
_LOW = 0xFFFFFFFF
_BLOCKS_AT_ONCE = 4096  # 32 kB for each float64 array: what is computed at once stays in the cache


def normal(seed: int, shape: int | Sequence[int], *, stream: int = 0, start: int = 0) -> np.ndarray:
    """Draw standard normal noise for sampling: z, x_T and the noise of each step.

    A shorter draw is the start of a longer one, so asking for more pictures keeps the first ones,
    and `start` gives the rest of a draw without what is before it.

    Args:
        seed: chooses the noise, 0 to 2**64 - 1.
        shape: shape of the result.
        stream: an independent sequence under the same seed, 0 to 2**64 - 1, such as the number of
            a sampling step.
        start: how many numbers of the sequence to pass over, 0 to 2**64 - 1.

    Returns:
        float32 array of `shape` in C order, mean 0, variance 1, within ±6.77.

    Raises:
        KgenError: `seed`, `stream` or `start` is out of range.

    Source: Box and Muller 1958, "A note on the generation of random normal deviates", on the words
    of :func:`words`: u = (word + 1/2) / 2**32, and of each two of them sqrt(-2 ln u_0) times
    cos(2 pi u_1) and sin(2 pi u_1), in float64, rounded to float32.
    """
    _check(seed=seed, stream=stream, start=start)
    noise = np.empty(shape, dtype=np.float32)
    flat = noise.reshape(-1)
    start = int(start)
    end = start + flat.size
    for first in range(start // 4, -(-end // 4), _BLOCKS_AT_ONCE):
        last = min(first + _BLOCKS_AT_ONCE, -(-end // 4))
        blocks = np.arange(first, last, dtype=np.uint64)
        low, high = max(4 * first, start), min(4 * last, end)
        drawn = _box_muller(*_philox_4x32_10(seed, blocks, stream))
        flat[low - start : high - start] = drawn[low - 4 * first : high - 4 * first]
    return noise


def words(seed: int, blocks: Sequence[int] | np.ndarray, *, stream: int = 0) -> np.ndarray:
    """Give the random words behind :func:`normal`, to compare another implementation with.

    Args:
        seed: the key, 0 to 2**64 - 1, its low 32 bits first.
        blocks: numbers (n,) of the blocks, each 0 to 2**64 - 1: the low half of the counter.
        stream: the high half of the counter, 0 to 2**64 - 1.

    Returns:
        uint32 (n, 4): block i makes the elements 4 i to 4 i + 3 of the sequence.

    Raises:
        KgenError: `seed` or `stream` is out of range.

    Source: Philox4x32-10 of Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
    """
    _check(seed=seed, stream=stream)
    numbers = np.asarray(blocks, dtype=np.uint64)
    return np.stack(_philox_4x32_10(seed, numbers, stream), axis=-1).astype(np.uint32)


def philox(seed: int, stream: int, *, domain: int = 0) -> np.random.Philox:
    """Make NumPy's generator for a (seed, stream) pair; `domain` keeps its uses apart.

    It is another one than that of :func:`normal`, Philox4x64-10, and its words are twice as long:
    for what no app has to draw again.

    Args:
        seed: first word of the key, 0 to 2**64 - 1.
        stream: second word of the key, 0 to 2**64 - 1.
        domain: highest word of the start of the counter; two domains never meet.

    Raises:
        KgenError: `seed` or `stream` is out of range.
    """
    _check(seed=seed, stream=stream)
    key = np.array([seed, stream], dtype=np.uint64)
    return np.random.Philox(key=key, counter=np.array([0, 0, 0, domain], dtype=np.uint64))


def _check(**numbers: int) -> None:
    """Refuse what is no integer of 64 bits, by name."""
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise KgenError(f"{name} takes an integer. Received: {name}={value!r}.")
        if not 0 <= value < 2**64:
            raise KgenError(f"{name} takes 0 to 2**64 - 1. Received: {name}={value!r}.")


def _halves(number: int) -> tuple[int, int]:
    """Split 64 bits into two words, the low one first."""
    return int(number) & _LOW, int(number) >> 32


def _philox_4x32_10(seed: int, blocks: np.ndarray, stream: int) -> list[np.ndarray]:
    """Return the four words of each block, 32 bits each in uint64 (n,), the width of a product."""
    k0, k1 = _halves(seed)
    c0, c1 = blocks & _LOW, blocks >> 32
    c2, c3 = (np.full_like(blocks, word) for word in _halves(stream))
    for _ in range(_ROUNDS):
        p0, p1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1 = (p1 >> 32) ^ c1 ^ k0, p1 & _LOW
        c2, c3 = (p0 >> 32) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _KEY_STEPS[0]) & _LOW, (k1 + _KEY_STEPS[1]) & _LOW
    return [c0, c1, c2, c3]


def _box_muller(*words: np.ndarray) -> np.ndarray:
    """Turn four words (n,) of each block into its four normals, one after the other: float32 (4n,).

    The half keeps u inside (0, 1), where its logarithm is finite; both steps to u are exact.
    """
    u = [(word + 0.5) * 2.0**-32 for word in words]
    drawn = np.empty((len(words[0]), 4), dtype=np.float32)
    for i in (0, 2):
        radius, angle = np.sqrt(-2.0 * np.log(u[i])), 2.0 * np.pi * u[i + 1]
        drawn[:, i] = radius * np.cos(angle)
        drawn[:, i + 1] = radius * np.sin(angle)
    return drawn.reshape(-1)
