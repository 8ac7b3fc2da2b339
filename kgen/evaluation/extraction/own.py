"""An extractor for data that none comes with: a classifier trained on the data themselves."""

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kgen import device
from kgen.data import DataSet, split_validation
from kgen.data.content import data_hash
from kgen.errors import KgenError
from kgen.evaluation.extraction import extractor
from kgen.evaluation.extraction.extractor import (
    BATCH_SIZE,
    EPOCHS,
    LARGEST_SIDE,
    Extractor,
    Progress,
)
from kgen.evaluation.extraction.turned import WAYS, is_square, turned
from kgen.files import replacing

RECIPE = 1
"""Version of how it is trained; another makes other features of the same data."""
FEWEST = 200
"""Pictures without which a classifier learns nothing that others would agree with."""
MOST = 50_000
"""Pictures that it learns from, chosen evenly."""
HELD_OUT = 0.1
"""Share of the pictures that its accuracy is measured on."""
LEAST_STEPS, MOST_STEPS = 600, 3000
"""Of training: as many as six epochs take, within these."""
SMALLEST_SIDE = 4
"""Of a picture, shrunk to the classifier's size: two poolings halve it twice."""


def own_extractor(
    dataset: DataSet, cache: Path, *, seed: int = 0, progress: Progress | None = None
) -> Extractor:
    """Train a classifier (:func:`~kgen.evaluation.extraction.extractor.lenet`), or fetch it.

    It learns the labels, if there are at least two classes. Otherwise it learns which of four ways
    a picture is turned (:mod:`kgen.evaluation.extraction.turned`), and its logits are of no use to
    others. It is kept by the hash of the data, the recipe and the seed. On one machine and backend
    the same seed makes the same weights.

    Args:
        dataset: what a generator was trained on, so that nothing of the reference is learned.
        cache: folder that extractors are kept in.
        seed: of the weights, the order, the dropout and what is held out, in [0, 2**31 - 1].
        progress: called with (steps done, steps in all) while it is trained.

    Returns:
        The extractor, named ``lenet64-<8 digits>`` for labels, ``lenet64-rotation-<8 digits>``
        for the ways of square pictures and ``lenet64-mirror-<8 digits>`` for those of others: the
        first digits of the data's hash. Its accuracy is that on a tenth that was held out.

    Raises:
        KgenError: too few or too small pictures, or `cache` cannot be written.
    """
    _check(dataset)
    task = _task(dataset)
    digest = data_hash(dataset.images, dataset.labels if not task else None)
    name = f"lenet64-{task}{digest[:8]}"
    classes = WAYS if task else dataset.num_classes or 0
    path = cache / f"lenet64-{task}{digest[:32]}-recipe{RECIPE}-seed{seed}.npz"
    device.set_seed(seed)
    model = extractor.lenet(dataset.images.shape, classes)
    content = _fetch(path)
    accuracy = None if content is None else _decode(model, content)
    if content is None or accuracy is None:
        accuracy = _train(model, _few(dataset), bool(task), seed, progress)
        content = extractor.encode(model, accuracy=np.array(accuracy))
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    return Extractor(
        name=name,
        sha256=hashlib.sha256(content).hexdigest(),
        model=model,
        image_shape=dataset.images.shape,
        has_classes=not task,
        accuracy=accuracy,
    )


def _check(dataset: DataSet) -> None:
    """Refuse what no classifier can be trained on."""
    if len(dataset) < FEWEST:
        raise KgenError(
            f"An extractor takes at least {FEWEST} pictures to learn from. Received: "
            f"{len(dataset)} in {dataset.name}. Give more pictures of the same kind."
        )
    height, width, _ = dataset.images.shape
    shrink = -(-max(height, width) // LARGEST_SIDE)
    if min(height, width) < SMALLEST_SIDE * shrink:
        raise KgenError(
            f"An extractor takes pictures of at least {SMALLEST_SIDE} pixels a side, large ones at "
            f"most {LARGEST_SIDE // SMALLEST_SIDE} times as long as wide. Received: "
            f"{height} x {width} in {dataset.name}. Crop them."
        )


def _task(dataset: DataSet) -> str:
    """Return what is learned, as it is written in a name: nothing for the data's own labels."""
    if dataset.labels is not None and len(np.unique(dataset.labels)) > 1:
        return ""
    return "rotation-" if is_square(dataset.images.shape) else "mirror-"


def _few(dataset: DataSet) -> DataSet:
    """Keep as many pictures as training can look at, evenly spaced."""
    n = len(dataset)
    return dataset if n <= MOST else dataset.subset(np.arange(MOST) * n // MOST)


def _train(
    model: keras.Model, dataset: DataSet, turn: bool, seed: int, progress: Progress | None
) -> float:
    """Train on nine tenths and return the share of the last tenth that is classified rightly."""
    learned, held_out = split_validation(dataset, HELD_OUT, seed)
    if held_out is None:  # pyright cannot know that a tenth of 200 pictures is not nothing
        raise KgenError(f"Nothing of {dataset.name} could be held out.")
    if turn:  # after the split: the same picture must not be on both sides
        learned, held_out = turned(learned), turned(held_out)
    per_epoch = len(learned) // min(BATCH_SIZE, len(learned))
    steps = min(max(EPOCHS * per_epoch, LEAST_STEPS), MOST_STEPS)
    epochs = max(1, round(steps / per_epoch))
    extractor.fit(model, learned, epochs=epochs, seed=seed, progress=progress)
    return _accuracy(model, held_out)


def _accuracy(model: keras.Model, dataset: DataSet) -> float:
    looked = Extractor(name="", sha256="", model=model, image_shape=dataset.images.shape)
    rows = np.array_split(np.arange(len(dataset)), -(-len(dataset) // extractor.CHUNK))
    seen = looked((dataset.images.gather(some) for some in rows), len(dataset))
    guesses: Any = seen.logits
    return float(np.mean(guesses.argmax(axis=1) == dataset.labels))


def _fetch(path: Path) -> bytes | None:
    """Read a kept extractor, or None where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KgenError(
            f"Cannot read the extractor {str(path)!r}: {error.strerror}. Remove it, and it is "
            "trained again."
        ) from error


def _decode(model: keras.Model, content: bytes) -> float | None:
    """Put kept weights into a model and return the accuracy; None where they are damaged.

    What is damaged is made again: a cache holds nothing that cannot be.
    """
    try:
        return float(extractor.decode(model, content)["accuracy"])
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile):
        return None
