"""The real pictures that generated ones are compared with, and which of them may serve for what."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kgen import data
from kgen.data import DataSet
from kgen.data.content import data_hash
from kgen.errors import KgenError

MOST = 10_000
"""Reference pictures, and training pictures for the floor and the Gaussian generator, at most."""
FEWEST = 100
"""Pictures of a side without which no number means anything."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Reals:
    """Real pictures in two parts that share none.

    Attributes:
        name: of the data.
        split: what the reference is: ``test``, or ``held out``.
        train: what the model learned from: nearest neighbours, the floor, the Gaussian generator.
        reference: what the model has not seen, and by which nothing was chosen.
    """

    name: str
    split: str
    train: DataSet
    reference: DataSet

    @cached_property
    def content(self) -> str:
        """Hash of all the pictures, and of which are the reference."""
        parts = [data_hash(part.images, part.labels) for part in (self.train, self.reference)]
        return " ".join(parts)

    def reference_images(self, most: int = MOST) -> np.ndarray:
        """Return the reference, evenly spaced ones if there are more, uint8 (n, h, w, c)."""
        return self.reference.images.gather(evenly(len(self.reference), most))

    def train_images(self, most: int = MOST) -> np.ndarray:
        """Return the last training pictures, uint8 (n, h, w, c).

        The last, since the pinned extractor has not seen the last 10,000 of Fashion-MNIST.
        """
        count = len(self.train)
        return self.train.images.gather(np.arange(max(count - most, 0), count))


def evenly(count: int, most: int) -> np.ndarray:
    """Choose `most` of `count` places evenly, all of them if there are fewer: int64, ascending."""
    if count <= most:
        return np.arange(count)
    return (np.arange(most) * count) // most


def load_reals(
    source: str,
    *,
    image_size: int | None = None,
    channels: int | None = None,
    validation: float = 0.1,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> Reals:
    """Load real pictures: the reference is the source's test split, or else what is held out.

    Args:
        source: as for :func:`kgen.data.load`.
        image_size: that the pictures are scaled to.
        channels: 1 or 3.
        validation: share that was held out of training.
        seed: of the run, which chose those.
        on_progress: called with (pictures done, pictures in all).

    Raises:
        KgenError: the source cannot be read, nothing was held out of training, or there are too
            few pictures.
    """
    options = {"image_size": image_size, "channels": channels, "on_progress": on_progress}
    whole = data.load(source, **options)  # type: ignore[arg-type]
    train, held_out = data.split_validation(whole, validation, seed)
    if data.has_test(source):
        reference, split = data.load(source, split="test", **options), "test"  # type: ignore[arg-type]
    elif held_out is not None:
        reference, split = held_out, "held out"
    else:
        raise KgenError(
            "Generated pictures are compared with real ones that the model has not learned from, "
            f"and {whole.name} has neither a test split nor a share held out of training. "
            "Received: validation=0. Name other pictures of the same kind with --data, such as a "
            "folder with the sub-folders train and test."
        )
    if len(reference) < FEWEST or len(train) < FEWEST:
        raise KgenError(
            f"An evaluation takes at least {FEWEST} real pictures to compare with and {FEWEST} to "
            f"learn from. Received: {len(reference)} {split} and {len(train)} training pictures of "
            f"{whole.name}. Name more with --data."
        )
    return Reals(name=whole.name, split=split, train=train, reference=reference)
