"""Pictures in shards, as `kgen sample --format` writes them: read where they lie."""

import io
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np

from kgen.data.array import convert_images
from kgen.data.dataset import DataSet
from kgen.data.images import ImageSource
from kgen.errors import KgenError
from kgen.shards.contents import Contents
from kgen.shards.writing import MEMBER

_LOCAL_HEADER = 30  # bytes of a zip member's, before its name (APPNOTE.TXT, 4.3.7)


class ShardImages(ImageSource):
    """Pictures in the files of one folder; in memory is where each lies, 16 bytes a picture.

    Args:
        folder: of the shards.
        contents: of it.
        image_size: height and width wanted; None takes the shorter side of the pictures.
        channels: 1 or 3 wanted; None keeps them.

    Raises:
        KgenError: some shards are not there yet.
    """

    def __init__(
        self, folder: Path, contents: Contents, image_size: int | None, channels: int | None
    ):
        names = contents.names()
        there = sum((folder / name).is_file() for name in names)
        if there < len(names):
            raise KgenError(
                f"{folder} is to hold {len(names)} shards. Received: {there} of them. Draw the "
                "rest by the same kgen sample command."
            )
        self._folder, self._contents = folder, contents
        height, width, own_channels = contents.shape
        self._size, self._channels = image_size or min(height, width), channels or own_channels
        self._places: dict[int, np.ndarray] = {}

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every picture."""
        return self._size, self._size, self._channels

    def __len__(self) -> int:
        """Return the number of pictures."""
        return self._contents.number

    def gather(self, indices: np.ndarray) -> np.ndarray:
        """Read pictures from their files, each of which is opened once."""
        shards, rows = np.divmod(np.asarray(indices), self._contents.shard_size)
        out = np.empty((len(rows), *self._contents.shape), np.uint8)
        for shard in np.unique(shards).tolist():
            path = self._folder / self._contents.name(shard)
            try:  # Pillow has SyntaxError for a broken PNG
                if shard not in self._places:
                    self._places[shard] = self._index(path, shard)
                places = self._places[shard]
                with path.open("rb") as file:
                    for place in np.flatnonzero(shards == shard):
                        offset, size = places[rows[place]].tolist()
                        file.seek(offset)
                        out[place] = self._decode(file.read(size))
            except (OSError, ValueError, KeyError, SyntaxError, struct.error, zipfile.BadZipFile,
                    tarfile.TarError) as error:  # fmt: skip
                reason = " ".join(str(getattr(error, "strerror", None) or error).split())
                raise KgenError(
                    f"{path} is not a whole shard: {reason.rstrip('.')}. Remove it, and draw it "
                    "again by the same kgen sample command."
                ) from error
        return convert_images(out, self._size, self._channels)

    def _index(self, path: Path, shard: int) -> np.ndarray:
        """Find where the pictures of a shard lie: int64 (n, 2), offset and bytes."""
        count, size = len(self._contents.rows(shard)), int(np.prod(self._contents.shape))
        if self._contents.format == "npz":
            start = _array_start(path, (count, *self._contents.shape))
            offsets = start + size * np.arange(count)
            return np.stack([offsets, np.full(count, size)], axis=1)
        with tarfile.open(path, "r:") as archive:
            found = np.array([(m.offset_data, m.size) for m in archive], np.int64).reshape(-1, 2)
        if len(found) != count:
            raise ValueError(f"it takes {count} pictures and holds {len(found)}")
        return found

    def _decode(self, content: bytes) -> np.ndarray:
        """Turn a picture's bytes into uint8 (H, W, C)."""
        if self._contents.format == "npz":
            return np.frombuffer(content, np.uint8).reshape(self._contents.shape)
        from PIL import Image

        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            return np.asarray(image, np.uint8).reshape(self._contents.shape)


def load_shards(
    folder: Path,
    contents: Contents,
    name: str,
    *,
    image_size: int | None = None,
    channels: int | None = None,
) -> DataSet:
    """Open a folder of shards; no picture is read before it is wanted.

    Args:
        folder: of the shards.
        contents: of it.
        name: of the data set.
        image_size: height and width wanted; None takes the shorter side of the pictures.
        channels: 1 or 3 wanted; None keeps them.

    Raises:
        KgenError: some shards are not there yet.
    """
    images = ShardImages(folder, contents, image_size, channels)
    return DataSet(name=name, images=images, labels=None, class_names=None, licence=None)


def _array_start(path: Path, shape: tuple[int, ...]) -> int:
    """Find the first byte of the array in a `.npz` that is not compressed."""
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo(MEMBER)
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError("it is compressed")
    with path.open("rb") as file:
        file.seek(member.header_offset + _LOCAL_HEADER - 4)
        file.seek(sum(struct.unpack("<HH", file.read(4))), io.SEEK_CUR)  # its name and extra field
        version = np.lib.format.read_magic(file)
        found = np.lib.format.read_array_header_1_0(file)
        if version != (1, 0) or found != (shape, False, np.dtype(np.uint8)):
            raise ValueError(f"it takes uint8 {shape} and holds {found[2]} {found[0]}")
        return file.tell()
