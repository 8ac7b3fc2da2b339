"""A stand-in for a model: pictures that NumPy paints by their number, and a folder's contents."""

from pathlib import Path

import numpy as np

from kgen.shards import Contents, begin, stream

SHAPE = (6, 5, 3)


def paint(n: int, start: int, progress=lambda done, whole: None, shape=SHAPE) -> np.ndarray:
    """Paint pictures `start` to `start + n - 1`: the levels of a picture tell its number."""
    progress(n, n)
    numbers = np.arange(start, start + n, dtype=np.int64)[:, None]
    values = numbers * 7919 + np.arange(np.prod(shape)) * numbers
    return (values % 251).astype(np.uint8).reshape(n, *shape)


def contents(**changes) -> Contents:
    """Describe 1,000 pictures in shards of 300."""
    facts = dict(
        run="a-run", family="gan", weights="0" * 64, seed=7, sampler={}, number=1000,
        format="npz", shard_size=300, shape=SHAPE,
    )  # fmt: skip
    return Contents(**{**facts, **changes})


def fill(folder: Path, draw=paint, share=(0, 1), **changes) -> Path:
    """Stream painted pictures into a folder."""
    asked = contents(**changes)
    begin(folder, asked)
    stream(folder, asked, draw, share=share)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    """Read a folder's files by name, hidden ones too."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
