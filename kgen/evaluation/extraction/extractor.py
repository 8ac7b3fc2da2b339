"""What a picture is compared by: the features of a small classifier, pinned or made for the data.

The Fréchet distance on a classifier's features is the Fréchet *classifier* distance, not the FID,
which is that of one network (Inception, 2015-12-05). Numbers of different extractors do not
compare, so every number carries its extractor's name.
"""

import hashlib
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from kgen import device
from kgen.data.batch import Batches
from kgen.data.dataset import DataSet
from kgen.errors import KgenError
from kgen.evaluation.extraction.features import Features
from kgen.step import engine

FEATURES = 64
"""Length of a feature vector."""
PINNED = "lenet64-v1"
"""The extractor of Fashion-MNIST, whose weights come with kgen."""
PINNED_FILE = Path(__file__).parent / "weights" / "lenet64-v1.npz"
PINNED_SHA256 = "50112846f3726bb2236ade8464b43a473e8be4bcd2a9feff7c19e45dd754ed6a"
"""Of the file as scripts/make_extractor.py writes it."""
PINNED_CLASSES = 10
EPOCHS, BATCH_SIZE, LEARNING_RATE = 6, 128, 1e-3
LARGEST_SIDE = 32
"""Pictures are averaged down to at most this many pixels before the first convolution."""
CHUNK = 256
"""Pictures that are looked at at a time."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Extractor:
    """A classifier, and the name that its numbers carry.

    Attributes:
        name: with a version, such as ``lenet64-v1``.
        sha256: of the weights.
        model: from uint8 pictures (n, height, width, channels) to ``features`` and ``logits``.
        image_shape: (height, width, channels) that it takes.
        has_classes: whether the logits are of the data's own classes.
        accuracy: share of held-out pictures that it classifies rightly, or None where unknown.
        is_slow: whether what it sees is worth a file (:mod:`kgen.evaluation.extraction.kept`).
    """

    name: str
    sha256: str
    model: keras.Model
    image_shape: tuple[int, int, int]
    has_classes: bool = True
    accuracy: float | None = None
    is_slow: bool = False

    @cached_property
    def _look(self) -> Callable[..., Any]:
        def look(images: Any) -> Any:
            return self.model(images, training=False)

        return engine().compiled(self.model, look, by_rows=True)

    def __call__(
        self, chunks: Iterable[np.ndarray], total: int, progress: Progress | None = None
    ) -> Features:
        """Look at pictures as they come; only a chunk of them is in memory.

        Args:
            chunks: uint8 (any number, height, width, channels) each.
            total: pictures in all, for `progress`.
            progress: called with (pictures done, total).

        Raises:
            KgenError: pictures of another shape, or not uint8.
        """
        features, logits, done = [], [], 0
        for piece in (p for chunk in chunks for p in _pieces(self._checked(chunk))):
            # Short pieces are padded, so that one compiled shape serves all.
            padded = np.concatenate([piece, np.repeat(piece[-1:], CHUNK - len(piece), axis=0)])
            seen = self._look(ops.convert_to_tensor(padded))
            features.append(ops.convert_to_numpy(seen["features"])[: len(piece)])
            logits.append(ops.convert_to_numpy(seen["logits"])[: len(piece)])
            done += len(piece)
            if progress:
                progress(done, total)
        if not features:
            raise KgenError("There is no picture to look at.")
        return Features(
            features=np.concatenate(features),
            logits=np.concatenate(logits) if self.has_classes else None,
        )

    def _checked(self, images: np.ndarray) -> np.ndarray:
        if images.dtype != np.uint8 or images.shape[1:] != self.image_shape:
            raise KgenError(
                f"{self.name} takes pictures of {_size(self.image_shape)} in uint8. Received: "
                f"{_size(images.shape[1:])} in {images.dtype}."
            )
        return images


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)


def _pieces(images: np.ndarray) -> list[np.ndarray]:
    return [images[i : i + CHUNK] for i in range(0, len(images), CHUNK)]


def lenet(image_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """Build the classifier: two convolutions, each halving the resolution, and two dense layers.

    Source: LeCun et al. (1998), section II, with rectifiers, max-pooling and dropout.

    Args:
        image_shape: (height, width, channels) of uint8 pictures.
        num_classes: of the last layer.

    Returns:
        From pictures uint8 (n, height, width, channels) to a dict of ``features``, float32
        (n, 64), at least 0, and ``logits``, float32 (n, num_classes).
    """
    image = keras.Input(image_shape, dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, dtype="float32", name="scale")(image)
    pool = -(-max(image_shape[:2]) // LARGEST_SIDE)
    if pool > 1:
        x = layers.AveragePooling2D(pool, padding="same", dtype="float32", name="shrink")(x)
    for i, width in enumerate((32, 64)):
        x = layers.Conv2D(
            width, 3, padding="same", activation="relu", dtype="float32", name=f"conv{i}"
        )(x)
        x = layers.MaxPooling2D(2, dtype="float32", name=f"pool{i}")(x)
    x = layers.Flatten(dtype="float32", name="flatten")(x)
    x = layers.Dropout(0.5, dtype="float32", name="dropout")(x)
    features = layers.Dense(FEATURES, activation="relu", dtype="float32", name="features")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(features)
    return keras.Model(image, {"features": features, "logits": logits}, name="lenet")


def fit(
    model: keras.Model,
    dataset: DataSet,
    *,
    epochs: int = EPOCHS,
    batch_size: int = BATCH_SIZE,
    seed: int = 0,
    progress: Progress | None = None,
) -> None:
    """Train a classifier on the labels of its pictures: Adam, the rate falling as a cosine.

    The weights are then rounded to float16, the form in which they are kept.

    Args:
        model: from :func:`lenet`.
        dataset: with labels.
        epochs: passes over the data.
        batch_size: pictures in a step.
        seed: of the order; the weights and the dropout are the caller's (`device.set_seed`).
        progress: called with (steps done, steps in all).
    """
    batches = Batches(dataset, min(batch_size, len(dataset)), seed)
    total = epochs * batches.steps_per_epoch
    trainer = keras.Model(model.input, model.output["logits"], name="trainer")
    trainer.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(LEARNING_RATE, total)
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=device.jit_compile(),
    )
    for done in range(total):
        epoch, step = divmod(done, batches.steps_per_epoch)
        trainer.train_on_batch(*batches.batch(epoch, step))
        if progress:
            progress(done + 1, total)
    model.set_weights([w.astype(np.float16).astype(np.float32) for w in model.get_weights()])


def encode(model: keras.Model, **facts: np.ndarray) -> bytes:
    """Return the bytes of the `.npz` that keeps a classifier's weights, as float16, and `facts`."""
    buffer = io.BytesIO()
    arrays = {f"{i:02d}": w.astype(np.float16) for i, w in enumerate(model.get_weights())}
    np.savez_compressed(buffer, **arrays, **facts)  # type: ignore[arg-type]
    return buffer.getvalue()


def decode(model: keras.Model, content: bytes) -> dict[str, np.ndarray]:
    """Put kept weights into a classifier and return the facts that are kept with them.

    Raises:
        ValueError: they do not fit.
    """
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        kept = {key: arrays[key] for key in sorted(arrays.files)}
    weights = [kept.pop(key).astype(np.float32) for key in list(kept) if key.isdecimal()]
    model.set_weights(weights)
    return kept


def pinned() -> Extractor:
    """Open the extractor of Fashion-MNIST that comes with kgen.

    Raises:
        KgenError: its file is damaged.
    """
    try:
        content = PINNED_FILE.read_bytes()
    except OSError as error:
        raise KgenError(
            f"Cannot read the extractor {str(PINNED_FILE)!r}: {error.strerror}. Install kgen again."
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != PINNED_SHA256:
        raise KgenError(
            f"The extractor {str(PINNED_FILE)!r} is damaged: expected SHA-256 "
            f"{PINNED_SHA256[:12]}. Received: {found[:12]}. Install kgen again."
        )
    model = lenet((28, 28, 1), PINNED_CLASSES)
    decode(model, content)
    return Extractor(name=PINNED, sha256=PINNED_SHA256, model=model, image_shape=(28, 28, 1))
