"""Pictures in NumPy's files, and bringing any array of pictures to the size and channels wanted."""

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kgen.data.dataset import DataSet
from kgen.data.images import ArrayImages
from kgen.errors import KgenError

OnProgress = Callable[[int, int], None]
_LAYOUT = "(N, H, W), (N, H, W, 1) or (N, H, W, 3), channels last"
_NAMES = ("images", "labels", "class_names")


def load_array(
    path: Path,
    name: str,
    *,
    image_size: int | None = None,
    channels: int | None = None,
    on_progress: OnProgress | None = None,
) -> DataSet:
    """Load a `.npz` (`images`, optionally `labels` and `class_names`) or a `.npy` of pictures.

    A `.npy` that needs no conversion stays on disk, memory-mapped. Pickled objects are refused.

    Args:
        path: the file.
        name: of the data set.
        image_size: height and width wanted; None takes the shorter side of the pictures.
        channels: 1 or 3 wanted; None keeps them.
        on_progress: called with (pictures done, pictures in all) while converting.

    Raises:
        KgenError: the file is damaged, has no `images`, or something in it has the wrong type,
            shape or length.
    """
    arrays = _read(path)
    if "images" not in arrays:
        raise KgenError(
            f"{str(path)!r} must hold an array named 'images'. "
            f"Received: {', '.join(sorted(arrays)) or 'no arrays'}."
        )
    images = convert_images(
        _check_images(arrays["images"], path), image_size, channels, on_progress
    )
    labels, class_names = arrays.get("labels"), arrays.get("class_names")
    return DataSet(
        name=name,
        images=ArrayImages(images),
        labels=None if labels is None else _check_labels(labels, len(images), path),
        class_names=None if class_names is None else _check_names(class_names, path),
        licence=None,
    )


def convert_images(
    images: np.ndarray,
    image_size: int | None = None,
    channels: int | None = None,
    on_progress: OnProgress | None = None,
) -> np.ndarray:
    """Bring pictures in an array to a square of the size and the channels wanted.

    Args:
        images: uint8 (N, H, W) or (N, H, W, C), C 1 or 3.
        image_size: height and width wanted; None takes the shorter of H and W.
        channels: 1 or 3 wanted; None keeps C.
        on_progress: called with (pictures done, N).

    Returns:
        uint8 (N, image_size, image_size, channels); the same memory if there is nothing to do.
    """
    if images.ndim == 3:
        images = images[..., np.newaxis]
    total, height, width, own_channels = images.shape
    size = image_size or min(height, width)
    shape = (total, size, size, channels or own_channels)
    if shape == images.shape or total == 0:
        return images
    from PIL import Image

    from kgen.data.picture import convert

    out = np.empty(shape, dtype=np.uint8)
    for row in range(total):
        pixels = images[row, :, :, 0] if own_channels == 1 else images[row]
        out[row] = convert(Image.fromarray(np.ascontiguousarray(pixels)), size, shape[3])
        if on_progress:
            on_progress(row + 1, total)
    return out


def _read(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of a file by name; the one of a `.npy` is called images."""
    try:
        with path.open("rb") as file:
            start = file.read(6)
            file.seek(0)
            if start == b"\x93NUMPY":
                return {"images": np.load(path, mmap_mode="r", allow_pickle=False)}
            if not start.startswith(b"PK"):  # NumPy takes all else for a pickle
                raise ValueError("its content is of another kind, and pickles are never read")
            # The open file, not its path: NumPy leaves a path's file open that is no archive.
            with np.load(file, allow_pickle=False) as members:
                return {key: _member(members, key) for key in members.files}
    except (OSError, ValueError, EOFError, KeyError, NotImplementedError, RuntimeError,
            zipfile.BadZipFile, zlib.error) as error:  # fmt: skip
        if "allow_pickle" in str(error) or "Python objects" in str(error):
            raise KgenError(
                f"{str(path)!r} holds pickled objects, which can run code when they are read; "
                "kgen never reads them. Save plain arrays: numpy.savez(file, images=..., "
                "labels=...) with images of dtype uint8."
            ) from error
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise KgenError(f"Cannot read {str(path)!r} as NumPy's .npz or .npy: {reason}.") from error


def _member(members: np.lib.npyio.NpzFile, key: str) -> np.ndarray:
    """Read one array, or stand in for one that is only named in an error."""
    value = members[key] if key in _NAMES else np.empty(0)
    if not isinstance(value, np.ndarray):  # a file that is not NumPy's comes as bytes
        raise ValueError(f"{key} is not an array")
    return value


def _check_images(images: np.ndarray, path: Path) -> np.ndarray:
    """Return the pictures if they are uint8 of a known layout, else raise KgenError."""
    if images.dtype != np.uint8:
        span = ""
        if images.size and images.dtype.kind in "fiub":
            span = f", values in [{images.min():g}, {images.max():g}]"
        raise KgenError(
            f"images in {str(path)!r} must be uint8 in [0, 255]. "
            f"Received: dtype={images.dtype}{span}. Scale to [0, 255], round, and convert with "
            "astype('uint8')."
        )
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] not in (1, 3)):
        raise KgenError(
            f"images in {str(path)!r} must have shape {_LAYOUT}. Received: shape={images.shape}."
        )
    if 0 in images.shape:
        raise KgenError(f"{str(path)!r} has no pictures. Received: shape={images.shape}.")
    return images


def _check_labels(labels: np.ndarray, total: int, path: Path) -> np.ndarray:
    """Return the labels as int32 (N,), or raise KgenError."""
    if labels.shape == (total, 1):
        labels = labels[:, 0]
    if labels.dtype.kind not in "iu" or labels.shape != (total,):
        raise KgenError(
            f"labels in {str(path)!r} must be whole numbers, one for each of the {total} pictures. "
            f"Received: dtype={labels.dtype}, shape={labels.shape}."
        )
    if labels.min() < 0 or labels.max() >= 2**31:
        raise KgenError(
            f"labels in {str(path)!r} must be class numbers from 0. "
            f"Received: values in [{labels.min()}, {labels.max()}]."
        )
    return labels.astype(np.int32)


def _check_names(names: np.ndarray, path: Path) -> tuple[str, ...]:
    """Return the class names, or raise KgenError."""
    if names.dtype.kind != "U" or names.ndim != 1:
        raise KgenError(
            f"class_names in {str(path)!r} must be a list of texts. "
            f"Received: dtype={names.dtype}, shape={names.shape}."
        )
    return tuple(names.tolist())
