"""The look that all figures share, and how they are written."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib
from matplotlib.figure import Figure

from kgen import files

DPI = 100
WIDTH = 9.0
"""Inches of a full-width figure: 900 pixels, which a README shows without scaling down."""

# Okabe & Ito's colours, which colour-blind readers tell apart.
BLUE, VERMILION, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#707070"
LINE_COLOURS = (BLUE, VERMILION, GREEN, "#CC79A7")

# Petroff (2021), "Accessible color sequences for data visualization": the ten-colour sequence.
CLASS_COLOURS = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6",
    "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip

STYLE: dict[Any, Any] = {
    "figure.facecolor": "white",
    "figure.dpi": DPI,
    "figure.constrained_layout.h_pad": 0.07,  # inches
    "figure.constrained_layout.w_pad": 0.07,
    "savefig.dpi": "figure",
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "xtick.color": "#404040",
    "ytick.color": "#404040",
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}

P = ParamSpec("P")


@contextmanager
def style() -> Iterator[None]:
    """Draw in kgen's style inside the block; settings from elsewhere come back afterwards."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Make a function draw its figure in kgen's style."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with style():
            return draw(*args, **kwargs)

    return drawn


def save_figure(path: Path, figure: Figure) -> None:
    """Write a figure whole or not at all, in the format that the path's suffix names.

    Raises:
        KgenError: it cannot be written.
    """
    with files.replacing(path) as temporary, style():
        figure.savefig(temporary, format=path.suffix[1:])
