"""Pictures with their labels, and how to hold some of them out of training."""

from dataclasses import dataclass, replace

import numpy as np

from kgen.data.images import ImageSource, SubsetImages
from kgen.errors import KgenError
from kgen.noise import philox

_SPLIT_DOMAIN = 2  # keeps the split's random numbers apart from those of the order and the noise


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DataSet:
    """What a model trains on.

    Attributes:
        name: short name for the run's folder, such as ``embedded`` or ``my-photos``.
        images: N pictures.
        labels: int32 (N,), a class number for each picture, or None where there are no classes.
        class_names: name of each class number, or None where they are unknown.
        licence: terms of the pictures, or None where they are unknown.
        skipped: pictures that could not be read, each as ``"path (reason)"``.
    """

    name: str
    images: ImageSource
    labels: np.ndarray | None
    class_names: tuple[str, ...] | None
    licence: str | None
    skipped: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that pictures, labels and class names belong together.

        Raises:
            KgenError: they do not.
        """
        if self.labels is None:
            return
        if self.labels.shape != (len(self.images),):
            raise KgenError(
                f"{self.name} takes one label for each of its {len(self.images)} pictures. "
                f"Received: labels.shape={self.labels.shape}."
            )
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or (self.class_names is not None and high >= len(self.class_names)):
            names = self.class_names
            most = "" if names is None else f" to {len(names) - 1}, one for each of its class_names"
            raise KgenError(
                f"Labels of {self.name} are numbers from 0{most}. "
                f"Received: labels in [{low}, {high}]."
            )

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.images)

    @property
    def num_classes(self) -> int | None:
        """Number of classes, or None where there are none."""
        if self.labels is None:
            return None
        return len(self.class_names) if self.class_names else int(self.labels.max()) + 1

    def subset(self, indices: np.ndarray) -> "DataSet":
        """Keep the pictures `indices`, int (n,), with their labels; no pixel is copied."""
        labels = None if self.labels is None else self.labels[indices]
        return replace(self, images=SubsetImages(self.images, indices), labels=labels)


def split_validation(
    dataset: DataSet, fraction: float, seed: int
) -> tuple[DataSet, DataSet | None]:
    """Hold a share of the pictures out of training, the same share of every class.

    The split is a pure function of the labels, `fraction` and `seed`. Each part keeps the order of
    the whole.

    Args:
        dataset: the whole.
        fraction: share held out, 0 up to but not including 1; at least one picture unless 0.
        seed: chooses which ones.

    Returns:
        The part to train on, and the part held out (None for fraction 0).

    Raises:
        KgenError: `fraction` is out of range, or leaves nothing to train on.
    """
    if not 0 <= fraction < 1:
        raise KgenError(
            f"validation takes 0 up to but not including 1. Received: validation={fraction!r}."
        )
    if fraction == 0:
        return dataset, None
    total = len(dataset)
    count = max(1, round(total * fraction))
    if count >= total:
        raise KgenError(
            f"{dataset.name} has too few pictures to hold some out: give more pictures, or "
            f"validation=0. Received: pictures={total}, validation={fraction!r}."
        )
    order = np.argsort(philox(seed, 0, domain=_SPLIT_DOMAIN).random_raw(total), kind="stable")
    if dataset.labels is not None:
        order = order[np.argsort(dataset.labels[order], kind="stable")]
    # Evenly spaced places in a shuffled list sorted by class: each class gives its share, +- 1.
    places = ((np.arange(count) + 0.5) * total / count).astype(np.int64)
    held_out = np.zeros(total, dtype=bool)
    held_out[order[places]] = True
    return dataset.subset(np.flatnonzero(~held_out)), dataset.subset(np.flatnonzero(held_out))
