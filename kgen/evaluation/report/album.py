"""The pictures of an evaluation in a page."""

import numpy as np

from kgen import pictures
from kgen.evaluation.report import catalogue
from kgen.page import address, text

WIDEST = 960
"""Pixels that a picture takes in a page at most; a small one is enlarged by a whole number."""
LARGEST_SCALE = 3


def album(name: str, images: np.ndarray) -> str:
    """Show a set of pictures under its heading, with how to look at it.

    Args:
        name: of the catalogue.
        images: uint8 (n, height, width, channels), at least one.
    """
    entry = catalogue.pictures(name)
    return (
        f'<h2 id="{text(name)}">{text(entry.label)}</h2><p>{text(entry.reading)}</p>'
        f"<figure>{picture(name, images)}</figure>"
    )


def picture(name: str, images: np.ndarray, of: str = "") -> str:
    """Lay a set of pictures out as one.

    Args:
        name: of the catalogue, which knows how.
        images: uint8 (n, height, width, channels), at least one.
        of: whose they are, for those who cannot see it.
    """
    entry = catalogue.pictures(name)
    if entry.pairs:
        columns = min(entry.columns, -(-len(images) // 2))
        count, images = len(images) // 2, paired(images, columns)
    else:
        columns, count = min(entry.columns, len(images)), len(images)
    image = pictures.grid(images, columns=columns, pad=1, scale=1)
    scale = max(1, min(LARGEST_SCALE, WIDEST // image.width))
    alt = f"{of}: {count} {entry.alt}" if of else f"{count} {entry.alt}"
    return (
        f'<img src="{address(image)}" width="{scale * image.width}" '
        f'height="{scale * image.height}" alt="{text(alt)}">'
    )


def paired(images: np.ndarray, columns: int) -> np.ndarray:
    """Order pairs so that a grid shows each second picture below its first.

    Args:
        images: (2k, height, width, channels): first, second, first, second...
        columns: of the grid.

    Returns:
        Rows of first pictures and rows of second ones in turn; the last two are filled with white.
    """
    pairs = len(images) // 2
    missing = -pairs % columns
    white = np.full((2 * missing, *images.shape[1:]), pictures.BACKGROUND, images.dtype)
    both = np.concatenate([images[: 2 * pairs], white])
    # (rows of pairs, columns, 2, ...) -> (rows of pairs, 2, columns, ...)
    rows = both.reshape(-1, columns, 2, *images.shape[1:]).swapaxes(1, 2)
    return rows.reshape(-1, *images.shape[1:])
