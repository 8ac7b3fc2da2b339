"""The report's drawings: how large the differences are, and the pictures themselves."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from kgen import pictures
from kgen.page import address
from kgen.page.drawing import INK, inked, legend, svg
from kgen.plots import styled
from kgen_exports.manifest import FileEntry
from kgen_exports.report.record import BINS, Row

COLOURS = {"fp32": "#2b87c8", "fp16": "#009e73", "int8": "#d9660a", "int8-static": "#b865a0"}
"""By precision; Okabe & Ito's hues, at a lightness that shows on white and on black."""
GAIN = 10
"""How much the differences between pictures are enlarged."""


def label(entry: FileEntry) -> str:
    """Name a file shortly: format, precision, and the batch if there are others beside it."""
    batch = "any batch" if entry.batch is None else f"batch {entry.batch}"
    return f"{entry.format} {entry.precision}, {batch}"


def histogram(rows: Sequence[Row], name: str, described: str) -> str:
    """Draw how many differences are how large, a line for each file, as SVG for a page.

    Args:
        rows: files that ran.
        name: of the drawing, unique in the page.
        described: for those who cannot see it.
    """
    return svg(_histogram(rows), name, described)


@styled
def _histogram(rows: Sequence[Row]) -> Figure:
    """Draw the lines."""
    figure = Figure(figsize=(6.6, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for row in rows:
        entry = row.entry
        style = ":" if entry.format == "tflite" else "-" if entry.batch is None else "--"
        axes.stairs(
            100 * row.histogram(), BINS, color=COLOURS[entry.precision], linestyle=style,
            linewidth=1.4, label=label(entry),
        )  # fmt: skip
    axes.axvline(np.log10(1 / 255), color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
    axes.text(
        np.log10(1 / 255) + 0.05, 0.98, "1/255", transform=axes.get_xaxis_transform(),
        va="top", color=INK, fontsize=8,
    )  # fmt: skip
    ticks = list(range(int(BINS[0]), int(BINS[-1]) + 1))
    names = [f"1e{tick}" if tick else "1" for tick in ticks]
    axes.set_xticks(ticks, [f"≤ {names[0]}", *names[1:]])
    axes.set_xlim(BINS[0], BINS[-1])
    axes.set_xlabel("difference, as a share of the range")
    axes.set_ylabel("% of the values")
    inked(axes)
    legend(figure)
    return figure


def beside(drawn: np.ndarray, keras: np.ndarray, low: float, high: float) -> tuple[str, int]:
    """Lay a file's pictures under Keras's, and the differences under both.

    Args:
        drawn: by the file, float32 (n, height, width, channels) in [low, high].
        keras: the same pictures by Keras.
        low: value of black.
        high: value of white.

    Returns:
        A PNG as an address for ``<img src>``, and its width in pixels.
    """
    differences = (low + high) / 2 + GAIN * (drawn - keras)
    rows = [pictures.to_uint8(a, low, high) for a in (keras, drawn, differences)]
    image = pictures.grid(np.concatenate(rows), columns=len(drawn), pad=1, scale=1)
    return address(image), image.width
