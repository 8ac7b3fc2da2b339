"""Small sources of pictures, written to disk by code that kgen does not share."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def idx_bytes(array: np.ndarray) -> bytes:
    """Encode an array as the IDX format describes it."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(struct.pack(">I", n) for n in array.shape)
    return header + array.tobytes()


@pytest.fixture
def as_idx() -> Callable[[np.ndarray], bytes]:
    """Return the IDX encoder."""
    return idx_bytes


@pytest.fixture
def pixels() -> np.ndarray:
    """Return 12 grey pictures of 10 x 10, uint8 (12, 10, 10)."""
    return np.random.default_rng(0).integers(0, 256, (12, 10, 10), dtype=np.uint8)


@pytest.fixture
def idx_folder(tmp_path: Path, pixels: np.ndarray) -> Path:
    """Return a folder in IDX format: a train split of 12, packed, and a test split of 4, plain."""
    folder = tmp_path / "digits"
    folder.mkdir()
    labels = (np.arange(12) % 3).astype(np.uint8)
    for name, array in (("images-idx3", pixels), ("labels-idx1", labels)):
        packed = gzip.compress(idx_bytes(array), mtime=0)
        (folder / f"train-{name}-ubyte.gz").write_bytes(packed)
        (folder / f"t10k-{name}-ubyte").write_bytes(idx_bytes(array[:4]))
    return folder


@pytest.fixture
def photo() -> Image.Image:
    """Return a smooth colour picture of 48 x 64 (height x width)."""
    y, x = np.mgrid[0:48, 0:64]
    channels = (4 * x, 5 * y, 2 * (x + y))
    return Image.fromarray(np.stack(channels, axis=-1).clip(0, 255).astype(np.uint8))
