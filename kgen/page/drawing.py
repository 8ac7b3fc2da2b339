"""Drawings in a page, which follow the colour of its text, light or dark."""

import html
import io
import re

from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#010203"
"""What is drawn in this takes the colour of the page's text."""


def svg(figure: Figure, name: str, described: str) -> str:
    """Write a drawing as SVG for a page.

    Args:
        figure: drawn in kgen's style; see :func:`inked`.
        name: of the drawing, unique in the page, of letters that an `id` may have.
        described: for those who cannot see it.
    """
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    drawn = file.getvalue()
    drawn = drawn[drawn.index("<svg") :].replace(INK, "currentColor")
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    # Several drawings share a page, and with it the space of names.
    drawn = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", drawn)
    return drawn.replace("<svg ", f'<svg role="img" aria-label="{html.escape(described)}" ', 1)


def inked(axes: Axes) -> None:
    """Draw frame, grid, ticks and titles of axes in the colour of the page's text."""
    axes.grid(color=INK, alpha=0.12)
    for side in axes.spines.values():
        side.set_color(INK)
    axes.tick_params(which="both", colors=INK)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(INK)


def legend(figure: Figure, columns: int = 3) -> None:
    """Put the names of the lines below a drawing; a `$` in a name is a `$`."""
    names = figure.legend(loc="outside lower center", ncols=columns, labelcolor=INK)
    for name in names.get_texts():
        name.set_parse_math(False)
