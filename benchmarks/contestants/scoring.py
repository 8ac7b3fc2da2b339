"""How contestants are scored: all by the same extractor, against the same test pictures."""

import math
from typing import Any

import numpy as np

from benchmarks.contestants import Codes, pictures

CHUNK = 1000


def elbo(codes: Codes) -> float:
    """Return a VAE's test bound in nats, with the pixels' variance fitted after training.

    Libraries train with different pixels: a Gaussian of variance 1, of 0.2, or one that is
    learned. That only weighs the two terms in training. For a bound that compares, each gets the
    variance v that is best for its reconstructions of *training* pictures, v = error / pixels:

        -pixels / 2 log(2 pi v) - test error / (2 v) - test KL
    """
    v = codes.train_error / codes.pixels
    return (
        -0.5 * codes.pixels * math.log(2 * math.pi * v) - codes.test_error / (2 * v) - codes.test_kl
    )


def score(images: np.ndarray, seed: int) -> tuple[str, dict[str, float]]:
    """Score pictures uint8 (n, 28, 28, 1); the Keras backend must have been selected.

    Returns:
        The extractor's name, and values by name.
    """
    from kgen.evaluation.extraction import extractor
    from kgen.evaluation.metrics.distribution import measure

    pinned = extractor.pinned()
    reference, generated = (_look(pinned, each) for each in (pictures("test"), images))
    found = measure(reference, generated, seed=seed)
    return pinned.name, {name: value.value for name, value in found.values.items()}


def _look(pinned: Any, images: np.ndarray) -> Any:
    chunks = (images[i : i + CHUNK] for i in range(0, len(images), CHUNK))
    return pinned(chunks, len(images))
