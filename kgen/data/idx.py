"""The IDX format of MNIST and its relatives: one file of pictures, one of labels."""

import gzip
import os
import re
import struct
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np

from kgen.errors import KgenError

# train-images-idx3-ubyte.gz, emnist-letters-test-images-idx3-ubyte, train-images.idx3-ubyte ...
_IMAGES = re.compile(r"(?P<stem>.*)(?P<split>train|t10k|test)-images[-.]idx[34]-ubyte(\.gz)?")
_CHUNK = 1 << 20


def load_idx(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Get the pictures and labels of a folder in IDX format.

    Args:
        folder: where the files are; their names follow MNIST's.
        split: ``train`` or ``test``.

    Returns:
        uint8 (N, H, W) or (N, H, W, C), and int32 (N,) or None where there are no labels; or None
        where the folder has no IDX file of pictures at all.

    Raises:
        KgenError: the folder has no such split, or several; a file is damaged; pictures and labels
            do not belong together.
    """
    files = _find(folder, split)
    if files is None:
        return None
    images = read_idx(files[0])
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] not in (1, 3)):
        raise KgenError(
            f"{str(files[0])!r} must have shape (N, H, W), or (N, H, W, C) with C 1 or 3. "
            f"Received: shape={images.shape}."
        )
    if 0 in images.shape:
        raise KgenError(f"{str(files[0])!r} has no pictures. Received: shape={images.shape}.")
    if files[1] is None:
        return images, None
    labels = read_idx(files[1])
    if labels.shape != (len(images),):
        raise KgenError(
            f"{str(files[1])!r} must have one label for each of the {len(images)} pictures of "
            f"{files[0].name}. Received: shape={labels.shape}."
        )
    return images, labels.astype(np.int32)


def has_idx(folder: Path, split: str) -> bool:
    """Tell whether a folder has pictures of a split in IDX format.

    Raises:
        KgenError: the folder cannot be listed.
    """
    return bool(_listing(folder, split)[1])


def _listing(folder: Path, split: str) -> tuple[list[str], dict[str, str], list[str]]:
    """List a folder: files of pictures, those of a split by name without .gz, and all files."""
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise KgenError(f"Cannot list the folder {str(folder)!r}: {error.strerror}.") from error
    every, mine = [], {}  # of a packed and an unpacked file of one name, the unpacked
    for name in sorted(names, reverse=True):
        match = _IMAGES.fullmatch(name)
        if match:
            every.append(name)
            if (match["split"] == "train") == (split == "train"):
                mine[name.removesuffix(".gz")] = name
    return every, mine, names


def _find(folder: Path, split: str) -> tuple[Path, Path | None] | None:
    """Find the file of pictures and that of labels (or None) by their names, or None."""
    every, mine, names = _listing(folder, split)
    if not every:
        return None
    if len(mine) != 1:
        raise KgenError(
            f"A folder in IDX format holds one data set; {str(folder)!r} has "
            f"{'several' if mine else 'none'} for split={split!r}. "
            f"Received: {', '.join(sorted(every))}."
        )
    plain, images = mine.popitem()
    labels = re.sub(r"-images([-.])idx[34]-", r"-labels\1idx1-", plain)
    found = next((name for name in (labels, f"{labels}.gz") if name in names), None)
    return folder / images, None if found is None else folder / found


def read_idx(path: Path) -> np.ndarray:
    """Read an IDX file of bytes, packed by gzip or not.

    The file is: two zero bytes, the type (8 for unsigned bytes), the number of dimensions, each
    dimension as a big-endian 32-bit number, then the values in C order.

    Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits", file formats.

    Returns:
        uint8 array of the dimensions in the file's header.

    Raises:
        KgenError: the file cannot be read, is not IDX, holds another type, or is cut short.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            return _parse(cast(IO[bytes], file), path)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or f"{error}; get the file again"
        raise KgenError(f"Cannot read {str(path)!r}: {reason}.") from error


def _parse(file: IO[bytes], path: Path) -> np.ndarray:
    """Read the header and then the values that it announces."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[3] == 0:
        raise KgenError(
            f"{str(path)!r} is not an IDX file, which begins with two zero bytes. "
            f"Received: first bytes {magic.hex(' ') or '(none)'}."
        )
    if magic[2] != 8:
        raise KgenError(
            f"{str(path)!r} must hold unsigned bytes (IDX type 0x08). "
            f"Received: type=0x{magic[2]:02x}."
        )
    header = file.read(4 * magic[3])
    if len(header) < 4 * magic[3]:
        raise KgenError(f"{str(path)!r} is cut short within its header. Get the file again.")
    shape = struct.unpack(f">{magic[3]}I", header)
    expected = 1
    for size in shape:
        expected *= size
    values = bytearray()
    # In chunks, and one byte past the end: a wrong header must not allocate what it claims.
    while len(values) <= expected:
        chunk = file.read(min(_CHUNK, expected + 1 - len(values)))
        if not chunk:
            break
        values += chunk
    if len(values) != expected:
        is_long = len(values) > expected
        raise KgenError(
            f"{str(path)!r} {'goes on after' if is_long else 'is cut short of'} the {expected} "
            f"bytes that its header {shape} announces. Get the file again."
        )
    return np.frombuffer(values, dtype=np.uint8).reshape(shape)
