"""The drawings of an evaluation in a page: lines over numbers, bars over names.

Names of people's own (classes, runs) are written by the page and not by Matplotlib, which lacks
the letters of many languages.
"""

import math

import numpy as np
from matplotlib.figure import Figure

from kgen.evaluation.record import Series
from kgen.page import columns, scroll, table, text
from kgen.page.drawing import INK, inked, svg
from kgen.plots import styled

COLOURS = ("#2b87c8", "#d9660a", "#009e73", "#b865a0", "#8a7a00", "#d0484f")
"""Okabe & Ito's hues, at a lightness that shows on white and on black."""
DASHES = ("solid", "dashed", "dotted", "dashdot", "dashed", "dotted")
DENSE, MANY = 12, 64
"""Names above which bars stand in several columns, and above which they are folded away."""
MOST_ROWS = 100
"""Rows of the table of a drawing."""


def drawing(name: str, heading: str, series: Series) -> str:
    """Draw a series, with its numbers in a table below.

    Args:
        name: of the drawing, unique in the page.
        heading: what it shows, for those who cannot see it.
        series: numbers against numbers or names.
    """
    if not series.x or not series.lines:
        return ""
    if any(isinstance(x, str) for x in series.x):
        return bars(series)
    drawn = svg(_lines(series), name, described(heading, series))
    return (
        f"{legend(series)}{scroll(drawn, f'Drawing: {heading}')}"
        f'<details><summary>The numbers<span class="unseen"> of: {text(heading)}</span></summary>'
        f"{_table(heading, series)}</details>"
    )


def described(heading: str, series: Series) -> str:
    """Say in words what a drawing of lines shows: where each line begins, ends, and is lowest."""
    said = []
    for name, line in series.lines.items():
        low, high = int(np.argmin(line)), int(np.argmax(line))
        said.append(
            f"{name}: {line[0]:.3g} at {series.x[0]}, {line[-1]:.3g} at {series.x[-1]}, "
            f"lowest {line[low]:.3g} at {series.x[low]}, highest {line[high]:.3g} at "
            f"{series.x[high]}"
        )
    return f"{heading}. {series.y_label}, over {series.x_label}. {'; '.join(said)}."


def legend(series: Series, *, dashes: bool = True) -> str:
    """Name the lines, with their colours, and dashes if they have any."""
    names = "".join(
        f'<li><span class="swatch" style="border-color:{COLOURS[i % len(COLOURS)]};border-style:'
        f'{_border(i) if dashes else "solid"}" aria-hidden="true"></span>{text(name)}</li>'
        for i, name in enumerate(series.lines)
    )
    return f'<ul class="legend">{names}</ul>'


def _border(i: int) -> str:
    return "solid" if i == 0 else "dotted" if i % len(DASHES) in (2, 5) else "dashed"


@styled
def _lines(series: Series) -> Figure:
    """Draw lines over numbers."""
    figure = Figure(figsize=(6.6, 3.2), layout="constrained")
    axes = figure.add_subplot()
    marker = "o" if len(series.x) <= 16 else ""
    for i, line in enumerate(series.lines.values()):
        axes.plot(
            np.array(series.x, np.float64), line, color=COLOURS[i % len(COLOURS)],
            linestyle=DASHES[i % len(DASHES)], marker=marker, markersize=4, linewidth=1.8,
        )  # fmt: skip
    # A logarithm of numbers that are not positive would be an empty drawing.
    if series.log_x and all(float(x) > 0 for x in series.x):
        axes.set_xscale("log")
    if series.log_y and all(y > 0 for line in series.lines.values() for y in line):
        axes.set_yscale("log")
    axes.set_xlabel(series.x_label, parse_math=False)
    axes.set_ylabel(series.y_label, parse_math=False)
    axes.tick_params(labelcolor=INK)
    inked(axes)
    return figure


def bars(series: Series) -> str:
    """Draw a bar for each name and line; a bar's length is its share of the largest number."""
    largest = max((abs(y) for line in series.lines.values() for y in line), default=0.0)
    # Three digits of the largest, and as many decimals of the others.
    decimals = max(0, 2 - math.floor(math.log10(largest))) if largest else 0
    rows = []
    for i, name in enumerate(series.x):
        drawn = "".join(
            f'<span class="bar" style="width:{100 * abs(line[i]) / (largest or 1):.1f}%;'
            f'background:{COLOURS[j % len(COLOURS)]}"></span>'
            for j, line in enumerate(series.lines.values())
        )
        numbers = " / ".join(f"{line[i]:.{decimals}f}" for line in series.lines.values())
        rows.append(
            f"<li><span>{text(name)}</span>"
            f'<span class="several" aria-hidden="true">{drawn}</span><span>{numbers}</span></li>'
        )
    names = " / ".join(series.lines)
    head = (
        f'{legend(series)}<p class="soft">{text(series.x_label)}; {text(series.y_label)}: '
        f"{text(names)}</p>"
    )
    dense = " dense" if len(rows) > DENSE else ""
    listed = f'<ul class="bars{dense}">{"".join(rows)}</ul>'
    if len(rows) > MANY:
        return f"{head}<details><summary>All {len(rows)}</summary>{listed}</details>"
    return head + listed


def _table(heading: str, series: Series) -> str:
    """Write the numbers of a drawing, at most :data:`MOST_ROWS` of them."""
    every = -(-len(series.x) // MOST_ROWS)
    rows = "".join(
        f'<tr><th scope="row">{series.x[i]:g}</th>'
        + "".join(f"<td>{line[i]:.4g}</td>" for line in series.lines.values())
        + "</tr>"
        for i in range(0, len(series.x), every)
    )
    note = f'<p class="soft">Every {every}th; all are in metrics.json.</p>' if every > 1 else ""
    head = columns([series.x_label], series.lines)
    return table(head, f"<tbody>{rows}</tbody>", f"Numbers: {heading}") + note
