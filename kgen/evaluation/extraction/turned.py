"""Pictures turned four ways: a task for a classifier where there are no labels."""

from dataclasses import replace
from typing import final

import numpy as np

from kgen.data import DataSet, ImageSource

WAYS = 4


@final
class TurnedImages(ImageSource):
    """Every picture of a source four times: picture i is number i // 4, turned the way i % 4.

    Square pictures are rotated by 0, 90, 180 and 270 degrees. Others are left as they are, turned
    by 180 degrees, and mirrored top to bottom and left to right: all that keeps their shape without
    resampling, which would give the way away.
    """

    def __init__(self, source: ImageSource) -> None:
        """Turn the pictures of `source` when they are fetched."""
        self._source = source

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every picture."""
        return self._source.shape

    def __len__(self) -> int:
        """Return four times the number of pictures."""
        return WAYS * len(self._source)

    def gather(self, indices: np.ndarray) -> np.ndarray:
        """Fetch pictures and turn them."""
        images = self._source.gather(indices // WAYS)
        for way in range(1, WAYS):
            chosen = indices % WAYS == way
            images[chosen] = self._turn(images[chosen], way)
        return images

    def _turn(self, images: np.ndarray, way: int) -> np.ndarray:
        if is_square(self.shape):
            return np.rot90(images, way, axes=(1, 2))
        return np.flip(images, axis=((1, 2), 1, 2)[way - 1])


def is_square(shape: tuple[int, int, int]) -> bool:
    """Say whether pictures can be rotated by 90 degrees."""
    return shape[0] == shape[1]


def turned(dataset: DataSet) -> DataSet:
    """Make the data set whose labels are the ways its pictures are turned.

    Source: Gidaris, Singh & Komodakis (2018), "Unsupervised representation learning by predicting
    image rotations", section 2.1.
    """
    return replace(
        dataset,
        images=TurnedImages(dataset.images),
        labels=np.tile(np.arange(WAYS, dtype=np.int32), len(dataset)),
        class_names=None,
    )
