"""Noise made on the host, so that one seed draws the same numbers on every backend.

The backends' own generators differ (JAX keys, TensorFlow's stateless ops, PyTorch's generators);
what must agree across them, or be drawn again later, comes from NumPy's Philox instead.
"""

from collections.abc import Sequence

import numpy as np

from kgen.errors import KgenError


def normal(seed: int, shape: int | Sequence[int], *, stream: int = 0) -> np.ndarray:
    """Draw standard normal noise for sampling: z, x_T and the noise of each step.

    A shorter draw is the start of a longer one, so asking for more pictures keeps the first ones.

    Args:
        seed: chooses the noise, 0 to 2**64 - 1.
        shape: shape of the result.
        stream: an independent sequence under the same seed, 0 to 2**64 - 1, such as the number of
            a sampling step.

    Returns:
        float32 array of `shape`, mean 0, variance 1.

    Raises:
        KgenError: `seed` or `stream` is out of range.

    Source: the counter-based generator Philox4x64-10 of Salmon et al. 2011, "Parallel random
    numbers: as easy as 1, 2, 3", with key (seed, stream).
    """
    return np.random.Generator(philox(seed, stream)).standard_normal(shape, dtype=np.float32)


def philox(seed: int, stream: int, *, domain: int = 0) -> np.random.Philox:
    """Make the generator for a (seed, stream) pair; `domain` keeps its uses apart.

    Args:
        seed: first word of the key, 0 to 2**64 - 1.
        stream: second word of the key, 0 to 2**64 - 1.
        domain: highest word of the start of the counter; two domains never meet.

    Raises:
        KgenError: `seed` or `stream` is out of range.
    """
    for name, value in (("seed", seed), ("stream", stream)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise KgenError(f"{name} takes an integer. Received: {name}={value!r}.")
        if not 0 <= value < 2**64:
            raise KgenError(f"{name} takes 0 to 2**64 - 1. Received: {name}={value!r}.")
    key = np.array([seed, stream], dtype=np.uint64)
    return np.random.Philox(key=key, counter=np.array([0, 0, 0, domain], dtype=np.uint64))
