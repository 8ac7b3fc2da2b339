"""The data sets that kgen knows by name."""

import hashlib
import importlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kgen.data.idx import load_idx
from kgen.errors import KgenError

EMBEDDED_FILES = {
    split: Path(__file__).parent / "embedded" / f"fashion_mnist_{split}_2000.npz"
    for split in ("train", "test")
}
EMBEDDED_SHA256 = {
    "train": "86961515892a551600325ba4c1d28eede87ba30078a9faeef6fc6ed89e7076c7",
    "test": "347f318994f29288ada1111fde25c87dbce8bb855b8d8746aa74053213d54ba3",
}
"""Of the files as scripts/make_embedded.py writes them."""

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts its files."""

_CLOTHES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
_DIGITS = tuple("0123456789")
_THINGS = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedSource:
    """A data set that is known by name.

    Attributes:
        class_names: name of each class number.
        licence: terms of the pictures, or None where their authors state none.
        otherwise: how to get it without a network.
    """

    class_names: tuple[str, ...]
    licence: str | None
    otherwise: str = ""


SOURCES: dict[str, NamedSource] = {
    "embedded": NamedSource(class_names=_CLOTHES, licence="MIT, (c) 2017 Zalando SE"),
    "fashion_mnist": NamedSource(
        class_names=_CLOTHES,
        licence="MIT, (c) 2017 Zalando SE",
        otherwise="install Debian's package dataset-fashion-mnist, or give the path of a folder "
        "with its four IDX files",
    ),
    "mnist": NamedSource(
        class_names=_DIGITS,
        licence="CC BY-SA 3.0, Yann LeCun and Corinna Cortes",
        otherwise="give the path of a folder with its four IDX files, or put mnist.npz into "
        "datasets/ of Keras's folder (~/.keras, or $KERAS_HOME)",
    ),
    "cifar10": NamedSource(
        class_names=_THINGS,
        licence=None,
        otherwise="put cifar-10-python.tar.gz into datasets/ of Keras's folder (~/.keras, or "
        "$KERAS_HOME) under the name cifar-10-batches-py-target_archive, or give the path of a "
        ".npz with images and labels",
    ),
}


def load_named(name: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Get the pictures and labels of a data set in :data:`SOURCES`.

    Returns:
        uint8 (N, H, W) or (N, H, W, 3) in [0, 255], and int32 (N,).

    Raises:
        KgenError: it cannot be had, or its file is damaged.
    """
    if name == "embedded":
        return _load_embedded(split)
    if name == "fashion_mnist" and DEBIAN_FASHION_MNIST.is_dir():
        arrays = load_idx(DEBIAN_FASHION_MNIST, split)
        if arrays is not None and arrays[1] is not None:
            return arrays[0], arrays[1]
    return _load_keras(name, split)


def _load_embedded(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Read the pictures that are part of kgen."""
    path, expected = EMBEDDED_FILES[split], EMBEDDED_SHA256[split]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise KgenError(
            f"Cannot read kgen's embedded pictures {str(path)!r}: {error.strerror}. "
            "Install kgen again."
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise KgenError(
            f"kgen's embedded pictures {str(path)!r} are damaged: expected SHA-256 "
            f"{expected[:12]}. Received: {found[:12]}. Install kgen again."
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return arrays["images"], arrays["labels"].astype(np.int32)


def _load_keras(name: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Get a data set by way of keras.datasets, which downloads it once and keeps it."""
    module = importlib.import_module(f"keras.datasets.{name}")
    try:
        train, test = module.load_data()
    except Exception as error:  # Keras raises a plain Exception when a download fails
        reason = " ".join(str(error).split())
        raise KgenError(
            f"Cannot get {name} through keras.datasets: {reason}. Without a network, "
            f"{SOURCES[name].otherwise}; or use the embedded pictures."
        ) from error
    images, labels = train if split == "train" else test
    if images.ndim == 4 and images.shape[-1] != 3:
        images = images.transpose(0, 2, 3, 1)  # where Keras is configured to channels_first
    return images, np.asarray(labels).reshape(-1).astype(np.int32)
