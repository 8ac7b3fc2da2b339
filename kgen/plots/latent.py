"""Latent spaces, and what their prior decodes to."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke

from kgen import pictures
from kgen.plots.strip import show_picture
from kgen.plots.style import CLASS_COLOURS, styled


@dataclass(frozen=True, kw_only=True, slots=True)
class LatentSpace:
    """What is drawn of one model's latent space.

    Attributes:
        title: whose it is.
        points: float (n, 2), where pictures lie.
        labels: int (n,), their classes; None draws all alike.
        class_names: by class number; None names classes by their numbers.
        prior: float (m, 2), where latents drawn from N(0, I) lie; None draws none.
        decoded: uint8 (m, height, width, channels), the pictures decoded from those.
    """

    title: str
    points: np.ndarray
    labels: np.ndarray | None = None
    class_names: Sequence[str] | None = None
    prior: np.ndarray | None = None
    decoded: np.ndarray | None = None


@styled
def latent_spaces(spaces: Sequence[LatentSpace]) -> Figure:
    """Draw latent spaces side by side, each above the pictures that N(0, I) decodes to.

    Circles mark one and two standard deviations of the prior: where the points of the pictures
    fill them, a latent drawn from the prior is one that the decoder knows.
    """
    decoded = [None if s.decoded is None else pictures.grid(s.decoded, columns=8) for s in spaces]
    side = min(4.5, 11.0 / len(spaces))
    below = max((picture.height / picture.width for picture in decoded if picture), default=0.0)
    # Inches: square axes, their title and ticks, the pictures' title, the legend.
    figure = Figure(figsize=(side * len(spaces), side * (0.95 + below) + 1.1))
    figure.set_layout_engine("constrained", hspace=0)
    heights = [1, below] if below else [1]
    grid = figure.add_gridspec(len(heights), len(spaces), height_ratios=heights)
    for column, (space, picture) in enumerate(zip(spaces, decoded, strict=True)):
        _draw_space(figure.add_subplot(grid[0, column]), space)
        if picture is not None:
            axes = figure.add_subplot(grid[1, column])
            show_picture(axes, picture)
            axes.set_title("drawn from N(0, I) at x, and decoded", fontweight="normal")
    named = next((s for s in spaces if s.class_names and s.labels is not None), None)
    if named is not None and named.class_names:
        _name_classes(figure, named.class_names, ncols=3 if len(spaces) == 1 else 5)
    return figure


def _draw_space(axes: Axes, space: LatentSpace) -> None:
    """Draw the points of one latent space, the prior's circles and the prior's draws."""
    points = np.asarray(space.points, dtype=np.float64)
    labels = np.zeros(len(points), int) if space.labels is None else np.asarray(space.labels)
    colours = np.array(CLASS_COLOURS)[labels % len(CLASS_COLOURS)]
    axes.scatter(*points.T, s=max(3.0, min(14.0, 9000 / len(points))), c=colours, linewidths=0)
    for radius, line in ((1.0, "-"), (2.0, "--")):
        axes.add_patch(Circle((0, 0), radius, fill=False, linestyle=line, linewidth=1.2))
    if space.prior is not None:
        axes.scatter(*np.asarray(space.prior).T, s=22, c="black", marker="x", linewidths=1.1)
    if space.labels is not None:
        _number_classes(axes, points, labels)
    # A stray point in a hundred must not shrink all the others.
    inner = np.abs(np.quantile(points, [0.005, 0.995], axis=0)).max()
    # The draws are few, and each is shown decoded as well.
    drawn = 0.0 if space.prior is None else np.abs(space.prior).max()
    limit = 1.06 * max(inner, drawn, 2.2)
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", title=space.title)


def _name_classes(figure: Figure, names: Sequence[str], ncols: int) -> None:
    """Put the classes' colours, numbers and names below the figure, unless they are too many."""
    if len(names) > len(CLASS_COLOURS):
        return
    handles = [
        Line2D([], [], marker="o", linestyle="", color=colour, label=f"{number} {name}")
        for number, (name, colour) in enumerate(zip(names, CLASS_COLOURS, strict=False))
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=ncols, handletextpad=0.1)


def _number_classes(axes: Axes, points: np.ndarray, labels: np.ndarray) -> None:
    """Write each class's number at its centre, for those who cannot go by the colours."""
    for label in np.unique(labels):
        x, y = np.median(points[labels == label], axis=0)
        text = axes.text(x, y, str(label), ha="center", va="center", weight="bold", size=11)
        text.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
