"""Where the pixels come from: an array in memory, or a part of another source."""

from abc import ABC, abstractmethod
from typing import final

import numpy as np

from kgen.errors import KgenError


class ImageSource(ABC):
    """A numbered set of equally large pictures that are fetched many at a time."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels (1 grey, 3 RGB) of every picture."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of pictures."""

    @abstractmethod
    def gather(self, indices: np.ndarray) -> np.ndarray:
        """Fetch pictures by number.

        Args:
            indices: int (n,), each in [0, len).

        Returns:
            uint8 (n, H, W, C) in [0, 255], a new array.
        """


@final
class ArrayImages(ImageSource):
    """Pictures held in one array, which may be memory-mapped."""

    def __init__(self, images: np.ndarray) -> None:
        """Take the array without copying it.

        Args:
            images: uint8 (N, H, W, C) in [0, 255], N >= 1, C 1 or 3.

        Raises:
            KgenError: the array is not that.
        """
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
            raise KgenError(
                "Pictures are a uint8 array (N, H, W, C) with C 1 (grey) or 3 (RGB). "
                f"Received: dtype={images.dtype}, shape={images.shape}."
            )
        if 0 in images.shape:
            raise KgenError(f"There are no pictures. Received: shape={images.shape}.")
        # A plain read-only view: rows of a memory map come out as ordinary arrays, and nobody
        # changes the data by way of this object.
        self._images = np.asarray(images).view()
        self._images.flags.writeable = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every picture."""
        _, height, width, channels = self._images.shape
        return height, width, channels

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self._images)

    def gather(self, indices: np.ndarray) -> np.ndarray:
        """Copy rows of the array: one NumPy call, whatever the number of pictures."""
        return np.take(self._images, indices, axis=0)


@final
class SubsetImages(ImageSource):
    """Some of the pictures of another source, without copying them."""

    def __init__(self, source: ImageSource, indices: np.ndarray) -> None:
        """Choose pictures `indices`, int (n,), of `source`; they are renumbered from 0."""
        self._source = source
        self._indices = np.asarray(indices, dtype=np.int64)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every picture."""
        return self._source.shape

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self._indices)

    def gather(self, indices: np.ndarray) -> np.ndarray:
        """Fetch pictures by their number in the subset."""
        return self._source.gather(np.take(self._indices, indices))
