"""The files of a shard, written row by row: the same pictures are the same bytes at any time."""

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

MEMBER = "images.npy"
"""The array in a `.npz`, which NumPy calls `images`."""

Write = Callable[[Path, range, tuple[int, int, int], Iterator[np.ndarray]], None]
"""(path, numbers of the pictures, shape of one, uint8 batches (any number, H, W, C) of them all)"""


def write_npz(
    path: Path, rows: range, shape: tuple[int, int, int], batches: Iterator[np.ndarray]
) -> None:
    """Write the array `images`, uint8 (n, H, W, C), that `--data` and `numpy.load` read.

    Not compressed, so that a reader finds a picture without what is before it.
    """
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(rows), *shape)}
    # A ZipInfo made from a name alone has the date 1980-01-01, where a file's would be today's.
    member = zipfile.ZipInfo(MEMBER)
    with (
        zipfile.ZipFile(path, "w") as archive,
        archive.open(member, "w", force_zip64=True) as file,
    ):
        np.lib.format.write_array_header_1_0(file, header)  # type: ignore[arg-type]
        for images in batches:
            file.write(images.tobytes())


def write_tar(
    path: Path, rows: range, shape: tuple[int, int, int], batches: Iterator[np.ndarray]
) -> None:
    """Write a PNG for each picture, `000000000.png` and so on, numbered across the shards.

    This is what WebDataset calls a shard: a tar in which a sample is the files of one name before
    the first dot, https://github.com/webdataset/webdataset.
    """
    numbers = iter(rows)
    with path.open("wb") as file:
        for images in batches:
            for image in images:
                _add(file, f"{next(numbers):09d}.png", _png(image))
        # POSIX ustar: two empty blocks, filled up to whole records.
        end = file.tell() + 2 * tarfile.BLOCKSIZE
        file.truncate(-(-end // tarfile.RECORDSIZE) * tarfile.RECORDSIZE)


def _add(file: IO[bytes], name: str, content: bytes) -> None:
    """Append a member to a tar. (TarFile.addfile keeps a record of each in memory.)"""
    member = tarfile.TarInfo(name)  # of the year 1970, and of nobody
    member.size = len(content)
    padding = -len(content) % tarfile.BLOCKSIZE
    file.write(member.tobuf(tarfile.USTAR_FORMAT) + content + bytes(padding))


def _png(image: np.ndarray) -> bytes:
    """Encode a picture, uint8 (H, W, C)."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(buffer, format="PNG")
    return buffer.getvalue()


FORMATS: dict[str, Write] = {"npz": write_npz, "tar": write_tar}
