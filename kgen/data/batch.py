"""Which pictures come when: the order of an epoch and the batches cut from it."""

from typing import final

import numpy as np

from kgen.data.dataset import DataSet
from kgen.errors import KgenError
from kgen.noise import philox

_ORDER_DOMAIN = 1  # keeps the order's random numbers apart from those of the noise and the split


def epoch_order(n: int, seed: int, epoch: int) -> np.ndarray:
    """Shuffle the pictures of an epoch.

    A pure function of its arguments, the same on every backend, platform and version of NumPy:
    ``Generator.permutation`` may change between versions of NumPy, Philox's raw stream may not.

    Args:
        n: number of pictures.
        seed: seed of the run, 0 to 2**64 - 1.
        epoch: number of the epoch, 0 to 2**64 - 1.

    Returns:
        int64 (n,), a permutation of 0 ... n - 1.

    Raises:
        KgenError: `seed` or `epoch` is out of range.
    """
    keys = philox(seed, epoch, domain=_ORDER_DOMAIN).random_raw(n)
    return np.argsort(keys, kind="stable").astype(np.int64, copy=False)


@final
class Batches:
    """The batches of every epoch; any one can be asked for at any time, so training can resume.

    An epoch has ``n // batch_size`` batches; the few pictures left over differ from epoch to epoch.
    """

    def __init__(
        self, dataset: DataSet, batch_size: int, seed: int, share: tuple[int, int] = (0, 1)
    ) -> None:
        """Cut `dataset` into batches of `batch_size` in the order that `seed` gives.

        Args:
            dataset: the pictures.
            batch_size: pictures in a batch, a multiple of the number of shares.
            seed: seed of the run.
            share: (index, number): of every batch only this one of so many equal, consecutive
                parts is fetched. The parts of all indices make the batch, whatever their number.

        Raises:
            KgenError: there are fewer pictures than a batch holds.
        """
        if not 1 <= batch_size <= len(dataset):
            raise KgenError(
                f"batch_size takes 1 to the number of pictures ({len(dataset)} of "
                f"{dataset.name} to train on). Received: batch_size={batch_size!r}."
            )
        self.dataset = dataset
        self.batch_size = batch_size
        self.seed = seed
        index, number = share
        self.share = slice(batch_size * index // number, batch_size * (index + 1) // number)
        self._latest: tuple[int, np.ndarray] = (0, epoch_order(len(dataset), seed, 0))

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in an epoch."""
        return len(self.dataset) // self.batch_size

    def batch(self, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Fetch one batch with a single gather: a pure function of (epoch, step).

        Measured on 60,000 pictures of 28 x 28, batch 128, one busy CPU core: 11,000,000 images/s
        (5,000,000 of a subset), against 770,000 for one NumPy call per picture and 320,000 for
        one `gather` per picture.

        Returns:
            images uint8 (n, H, W, C) in [0, 255], and labels int32 (n,), zeros where there are
            none; n is the batch size, or that of its share.

        Raises:
            IndexError: `step` is not in [0, steps_per_epoch).
        """
        if not 0 <= step < self.steps_per_epoch:
            raise IndexError(f"step takes 0 to {self.steps_per_epoch - 1}. Received: step={step}.")
        start = step * self.batch_size
        indices = self._order(epoch)[start : start + self.batch_size][self.share]
        images = self.dataset.images.gather(indices)
        if self.dataset.labels is None:
            return images, np.zeros(len(indices), dtype=np.int32)
        return images, self.dataset.labels[indices]

    def _order(self, epoch: int) -> np.ndarray:
        """Return the epoch's order, remembering the latest: shuffling costs more than a batch."""
        # One tuple, read and replaced whole, so that loader threads cannot see half of a change.
        latest = self._latest
        if latest[0] != epoch:
            latest = (epoch, epoch_order(len(self.dataset), self.seed, epoch))
            self._latest = latest
        return latest[1]
