"""One entry to every source of pictures: names, folders and files."""

import os
import re
from collections.abc import Callable
from pathlib import Path

from kgen.data.array import convert_images, load_array
from kgen.data.dataset import DataSet
from kgen.data.folder import load_folder
from kgen.data.idx import has_idx, load_idx
from kgen.data.images import ArrayImages
from kgen.data.named import SOURCES, load_named
from kgen.data.shards import load_shards
from kgen.errors import KgenError
from kgen.option import unknown_name
from kgen.shards.contents import Contents

OnProgress = Callable[[int, int], None]

LARGEST_SIZE = 4096
_SPLIT_FOLDERS = {"train": ("train",), "test": ("test", "val", "validation")}


def load(
    source: str | os.PathLike[str],
    *,
    image_size: int | None = None,
    channels: int | None = None,
    split: str = "train",
    memory_limit: int | None = None,
    on_progress: OnProgress | None = None,
) -> DataSet:
    """Load pictures from wherever they are.

    Args:
        source: a name in :data:`kgen.data.named.SOURCES`, or the path of a folder of pictures
            (PNG, JPEG, WebP, BMP; sub-folders are class labels), a folder in IDX format, a folder
            of shards (:mod:`kgen.shards`), or a `.npz` or `.npy`. A name wins over a folder of that
            name; write `./name` for the folder.
        image_size: height and width wanted, 1 to 4096; None keeps the source's own.
        channels: 1 (grey) or 3 (RGB); None keeps the source's own.
        split: ``train`` or ``test``, where the source has splits: a named one, a folder in IDX
            format, a folder of pictures with the sub-folders `train` and `test` (or `val`).
            Others are all ``train``.
        memory_limit: bytes that the pictures of a folder may take in memory; beyond, they are
            decoded whenever they are wanted. None: half of the free memory, up to 4 GiB.
        on_progress: called with (pictures done, pictures in all) while they are decoded or
            converted.

    Raises:
        KgenError: the source is unknown, damaged or empty, or an argument is wrong.
    """
    _check_wanted(image_size, channels, split)
    source = os.fspath(source)
    if source in SOURCES:
        images, labels = load_named(source, split)
        return DataSet(
            name=source,
            images=ArrayImages(convert_images(images, image_size, channels, on_progress)),
            labels=labels,
            class_names=SOURCES[source].class_names,
            licence=SOURCES[source].licence,
        )
    path = Path(os.path.expanduser(source))
    if not source or not os.path.exists(path):  # Path.exists raises where a name is too long
        unknown = unknown_name("data", source, list(SOURCES))
        raise KgenError(f"{unknown} There is no folder or file of that path either.")
    if path.is_dir():
        return _load_directory(path, image_size, channels, split, memory_limit, on_progress)
    if path.suffix.lower() not in (".npz", ".npy") or not path.is_file():
        raise KgenError(
            "Data is a folder, a .npz or a .npy; for a picture or an IDX file give its folder. "
            f"Received: data={source!r}."
        )
    _require_train(split, path)
    return load_array(
        path,
        _short_name(path),
        image_size=image_size,
        channels=channels,
        on_progress=on_progress,
    )


def has_test(source: str | os.PathLike[str]) -> bool:
    """Tell whether a source has pictures apart to test with, which `split="test"` loads.

    Raises:
        KgenError: its folder cannot be listed.
    """
    source = os.fspath(source)
    path = Path(os.path.expanduser(source))
    if source in SOURCES or not os.path.isdir(path):
        return source in SOURCES
    return has_idx(path, "test") or _split_folder(path, "test") is not None


def _load_directory(
    path: Path,
    image_size: int | None,
    channels: int | None,
    split: str,
    memory_limit: int | None,
    on_progress: OnProgress | None,
) -> DataSet:
    """Load a folder in IDX format, or of shards, or else of pictures."""
    arrays = load_idx(path, split)
    if arrays is not None:
        images, labels = arrays
        return DataSet(
            name=_short_name(path),
            images=ArrayImages(convert_images(images, image_size, channels, on_progress)),
            labels=labels,
            class_names=None,
            licence=None,
        )
    contents = Contents.read(path)
    if contents is not None:
        _require_train(split, path)
        return load_shards(
            path, contents, _short_name(path), image_size=image_size, channels=channels
        )
    root = _split_folder(path, split)
    if root is None:
        _require_train(split, path)
    return load_folder(
        root or path,
        _short_name(path),
        image_size=image_size,
        channels=channels,
        memory_limit=memory_limit,
        on_progress=on_progress,
    )


def _split_folder(path: Path, split: str) -> Path | None:
    """Return the sub-folder of the split if the folder has one for each split, else None."""
    found = {
        key: next((path / name for name in names if (path / name).is_dir()), None)
        for key, names in _SPLIT_FOLDERS.items()
    }
    return found[split] if all(found.values()) else None


def _check_wanted(image_size: int | None, channels: int | None, split: str) -> None:
    """Raise KgenError for an argument that no source takes."""
    is_whole = isinstance(image_size, int) and not isinstance(image_size, bool)
    if image_size is not None and not (is_whole and 1 <= image_size <= LARGEST_SIZE):
        raise KgenError(
            f"image_size takes 1 to {LARGEST_SIZE} pixels. Received: image_size={image_size!r}."
        )
    if channels not in (None, 1, 3):
        raise KgenError(f"channels takes 1 (grey) or 3 (colour). Received: channels={channels!r}.")
    if split not in _SPLIT_FOLDERS:
        raise KgenError(f"split takes 'train' or 'test'. Received: split={split!r}.")


def _require_train(split: str, path: Path) -> None:
    """Raise KgenError if another split is wanted of a source that has none."""
    if split != "train":
        raise KgenError(f"{str(path)!r} has no splits. Received: split={split!r}.")


def _short_name(path: Path) -> str:
    """Make a name for the run's folder from a path."""
    path = path.resolve()
    stem = path.name if path.is_dir() else path.stem
    return re.sub(r"[^A-Za-z0-9_.]+", "-", stem).strip("-.")[:40] or "data"
