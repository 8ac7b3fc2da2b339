"""A folder of pictures: decoded once into memory, or again whenever they are wanted."""

import math
import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import final

import numpy as np

from kgen.data.dataset import DataSet
from kgen.data.images import ArrayImages, ImageSource
from kgen.data.listing import Listing, classes, list_pictures, skip
from kgen.errors import KgenError

OnProgress = Callable[[int, int], None]
Shape = tuple[int, int, int]

DEFAULT_SIZE = 64
"""Height and width where the pictures' own do not decide it."""
LARGEST_OWN_SIZE = 512
"""Pictures that all share one square size keep it up to here."""

_WORKERS = min(8, os.cpu_count() or 1)  # Pillow decodes without the GIL
_QUEUE = 1024  # pictures handed to the workers at a time: a million waiting tasks fill a gigabyte
_MOST_MEMORY = 4 << 30


@final
class FolderImages(ImageSource):
    """Pictures decoded from their files whenever they are wanted, for sets larger than memory.

    A gather holds its result and, in each of a few threads, the one picture being decoded.
    """

    def __init__(self, files: list[Path], image_size: int, channels: int) -> None:
        """Take the files, which must stay where they are, and the size and channels wanted."""
        self._files = files
        self._shape = (image_size, image_size, channels)

    @property
    def shape(self) -> Shape:
        """Height, width and channels of every picture."""
        return self._shape

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self._files)

    def gather(self, indices: np.ndarray) -> np.ndarray:
        """Decode the pictures' files, several at once.

        Raises:
            KgenError: a file that could be read when the folder was loaded no longer can.
        """
        files = [self._files[index] for index in indices]
        out = np.empty((len(files), *self._shape), dtype=np.uint8)
        for file, reason in zip(files, _decode(files, self._shape, out), strict=True):
            if reason:
                raise KgenError(
                    f"Cannot read {str(file)!r} any more ({reason}); it could be read when the "
                    "folder was loaded. Put it back, or load the folder again."
                )
        return out


def load_folder(
    root: Path,
    name: str,
    *,
    image_size: int | None = None,
    channels: int | None = None,
    memory_limit: int | None = None,
    on_progress: OnProgress | None = None,
) -> DataSet:
    """Load a folder of PNG, JPEG, WebP and BMP pictures; its sub-folders are class labels.

    Every picture is decoded once now; what cannot be is skipped, and named in the result. The
    labels are the direct sub-folders, unless a picture is in none.

    Args:
        root: the folder.
        name: of the data set.
        image_size: height and width wanted; None keeps the pictures' own if all have one square
            size up to 512, else takes 64.
        channels: 1 or 3; None takes 1 if all pictures are grey, else 3.
        memory_limit: bytes that the decoded pictures may take in memory; if they need more they
            are decoded again whenever they are wanted. None: half of the free memory, up to 4 GiB.
        on_progress: called with (pictures done, pictures in all) as they are decoded.

    Raises:
        KgenError: the folder cannot be listed, has no pictures, or none that can be read.
    """
    listing = list_pictures(root)
    _refuse_nothing(root, listing)
    out = None
    with warnings.catch_warnings():
        # Of damaged EXIF tags, which do no harm, and of sizes that read_header refuses.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        shape = _drop_unreadable(root, listing, image_size, channels)
        limit = _spare_memory() if memory_limit is None else memory_limit
        if len(listing.pictures) * math.prod(shape) <= limit:
            out = np.empty((len(listing.pictures), *shape), dtype=np.uint8)
        _drop_undecodable(root, listing, shape, out, on_progress)
    files = [root / path for path in listing.pictures]
    images = (
        FolderImages(files, shape[0], shape[2]) if out is None else ArrayImages(out[: len(files)])
    )
    labels, class_names = classes(listing.pictures) or (None, None)
    return DataSet(
        name=name,
        images=images,
        labels=None if labels is None else np.array(labels, dtype=np.int32),
        class_names=class_names,
        licence=None,
        skipped=tuple(sorted(listing.skipped)),
    )


def _drop_unreadable(
    root: Path, listing: Listing, image_size: int | None, channels: int | None
) -> Shape:
    """Read every picture's header, drop those without, and settle the shape of all."""
    from kgen.data.picture import UnreadablePictureError, read_header  # imports Pillow

    headers = {}
    for path in listing.pictures:
        try:
            headers[path] = read_header(root / path)
        except UnreadablePictureError as error:
            listing.skipped.append(skip(path, str(error)))
    listing.pictures = list(headers)
    _refuse_nothing(root, listing)
    sizes = {(header.height, header.width) for header in headers.values()}
    height, width = next(iter(sizes))
    own = height if len(sizes) == 1 and height == width <= LARGEST_OWN_SIZE else DEFAULT_SIZE
    grey = all(header.grey for header in headers.values())
    return image_size or own, image_size or own, channels or (1 if grey else 3)


def _drop_undecodable(
    root: Path,
    listing: Listing,
    shape: Shape,
    out: np.ndarray | None,
    on_progress: OnProgress | None,
) -> None:
    """Decode every picture, into the rows of `out` if given, and drop those that are damaged."""
    kept: list[str] = []
    total = len(listing.pictures)
    reasons = _decode([root / path for path in listing.pictures], shape, out)
    for row, (path, reason) in enumerate(zip(listing.pictures, reasons, strict=True)):
        if reason:
            listing.skipped.append(skip(path, reason))
        else:
            if out is not None and row != len(kept):
                out[len(kept)] = out[row]  # close the gap in place: a second copy may not fit
            kept.append(path)
        if on_progress:
            on_progress(row + 1, total)
    listing.pictures = kept
    _refuse_nothing(root, listing)


def _decode(files: list[Path], shape: Shape, out: np.ndarray | None) -> Iterator[str | None]:
    """Decode files in threads into the rows of `out`, yielding in order why each failed, or None.

    Without `out` the pixels are thrown away: that checks the files.
    """
    from kgen.data.picture import UnreadablePictureError, decode  # imports Pillow

    def decode_row(row: int) -> str | None:
        try:
            pixels = decode(files[row], shape[0], shape[2])
        except UnreadablePictureError as error:
            return str(error)
        if out is not None:
            out[row] = pixels
        return None

    with ThreadPoolExecutor(_WORKERS) as pool:
        for start in range(0, len(files), _QUEUE):
            yield from pool.map(decode_row, range(start, min(start + _QUEUE, len(files))))


def _refuse_nothing(root: Path, listing: Listing) -> None:
    """Raise KgenError if no readable picture is left."""
    if listing.pictures:
        return
    if listing.skipped:
        raise KgenError(
            f"None of the {len(listing.skipped)} pictures in {str(root)!r} can be read. "
            f"Received: {'; '.join(listing.skipped[:3])}."
        )
    others = ", ".join(f"{n} {suffix}" for suffix, n in listing.others.most_common(5))
    raise KgenError(
        f"There is no PNG, JPEG, WebP or BMP picture in {str(root)!r} or its sub-folders. "
        f"Received: {f'files {others}' if others else 'an empty folder'}."
    )


def _spare_memory() -> int:
    """Return how many bytes the pictures may take without being asked."""
    import psutil

    return min(psutil.virtual_memory().available // 2, _MOST_MEMORY)
