"""Pictures with words beside them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kgen import pictures
from kgen.plots.style import DPI, styled

MAX_STRIP_WIDTH = 1600
"""Pixels beyond which a strip of large pictures is made smaller."""


@styled
def picture_strip(
    frames: np.ndarray, columns: Sequence[str] = (), rows: Sequence[str] = (), title: str = ""
) -> Figure:
    """Show pictures as they change, pixel for pixel, with words above and on the left.

    Args:
        frames: uint8 (frames, n, height, width, channels): a column per frame, a row per picture.
        columns: a label for each frame, or none at all.
        rows: a label for each picture, or none at all.
        title: a line above the labels.
    """
    picture = pictures.strip(frames)
    if picture.width > MAX_STRIP_WIDTH:
        picture = picture.reduce(-(-picture.width // MAX_STRIP_WIDTH))
    # Estimates of the labels' size in pixels; a letter of 9 points is about 7 wide.
    left = 12 + 7 * max(map(len, rows)) if rows else 4
    top = 4 + (18 if columns else 0) + (20 if title else 0)
    width, height = picture.width + left + 4, picture.height + top + 4
    figure = Figure(figsize=(width / DPI, height / DPI))
    share = (picture.width / width, picture.height / height)
    axes = figure.add_axes((left / width, 4 / height, *share))
    show_picture(axes, picture)
    cell_w, cell_h = picture.width / frames.shape[0], picture.height / frames.shape[1]
    axes.set_axis_on()
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, pad=3, labeltop=True, labelbottom=False, labelsize=9)
    axes.set_xticks([(i + 0.5) * cell_w - 0.5 for i in range(len(columns))], columns)
    axes.set_yticks([(i + 0.5) * cell_h - 0.5 for i in range(len(rows))], rows)
    if title:
        figure.text(left / width, 1 - 3 / height, title, weight="bold", size=10, va="top")
    return figure


def show_picture(axes: Axes, picture: Any) -> None:
    """Fill axes with a Pillow image, without frame or ticks."""
    # As RGB even if grey: a colour map would move every third level by one.
    axes.imshow(np.asarray(picture.convert("RGB")), interpolation="nearest")
    axes.grid(False)
    axes.set_axis_off()
