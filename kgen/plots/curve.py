"""Training curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from kgen.plots.style import GREY, LINE_COLOURS, WIDTH, styled


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """Columns of a history that belong in one drawing.

    Attributes:
        title: what they measure.
        columns: their names, without the `val_` of held-out pictures.
        names: what each is called in the legend, where there are several.
        unit: of the vertical axis.
        limits: of the vertical axis, where the values have natural ones.
    """

    title: str
    columns: tuple[str, ...]
    names: tuple[str, ...] = ()
    unit: str = ""
    limits: tuple[float, float | None] | None = None


PANELS = (
    Panel(
        title="Losses of the two players",
        columns=("d_loss", "g_loss"),
        names=("discriminator", "generator"),
        unit="nats",
    ),
    Panel(
        title="What D says",
        columns=("d_real", "d_fake"),
        names=("D(real)", "D(fake)"),
        unit="probability of real",
        limits=(0.0, 1.0),
    ),
    Panel(title="Loss", columns=("loss",)),
    Panel(title="Error of the predicted noise", columns=("eps_mse",), unit="mean square"),
    Panel(title="ELBO", columns=("elbo",), unit="nats per picture"),
    Panel(
        title="Reconstruction, -log p(x | z)", columns=("reconstruction",), unit="nats per picture"
    ),
    Panel(title="KL(q(z | x) ‖ N(0, I))", columns=("kl",), unit="nats per picture"),
    Panel(title="Error of a pixel", columns=("mse",), unit="mean square"),
    Panel(
        title="Active latents",
        columns=("active_units",),
        names=("held out",),
        unit="number",
        limits=(0.0, None),
    ),
)

NOT_DRAWN = {"epoch", "step", "seconds", "images_per_second", "bits_per_dim"}
"""Columns that say nothing of how well it learns, or the same as the ELBO in another unit."""


@styled
def curves(
    rows: Sequence[dict[str, float]], references: Mapping[str, tuple[float, str]] | None = None
) -> Figure:
    """Draw a run's history: a panel for each group of metrics, over the epochs.

    Solid lines are means over the training batches of an epoch, dashed ones (`val_`) are measured
    on held-out pictures. A metric that no panel knows gets its own.

    Args:
        rows: `Run.history()`, one mapping per epoch with `epoch` and the metrics.
        references: (value, words) of a line to compare a metric with, by its name.
    """
    panels = _panels(rows)
    across = min(3, max(len(panels), 1))
    down = max(-(-len(panels) // across), 1)
    figure = Figure(figsize=(WIDTH if across > 1 else WIDTH / 2, 2.6 * down), layout="constrained")
    for index, panel in enumerate(panels):
        axes = figure.add_subplot(down, across, index + 1)
        _draw_panel(axes, panel, rows)
        for column in panel.columns:
            if references and column in references:
                _draw_reference(axes, *references[column])
        if index >= len(panels) - across:
            axes.set_xlabel("epoch")
    return figure


def _panels(rows: Sequence[dict[str, float]]) -> list[Panel]:
    """Choose the panels that a history has columns for."""
    found = list(dict.fromkeys(key.removeprefix("val_") for row in rows for key in row))
    if "elbo" in found and np.allclose(_column(rows, "loss"), -_column(rows, "elbo"), rtol=1e-4):
        found.remove("loss")  # the loss is minus the ELBO, upside down
    known = {column for panel in PANELS for column in panel.columns}
    return [panel for panel in PANELS if set(panel.columns) & set(found)] + [
        Panel(title=name, columns=(name,)) for name in found if name not in known | NOT_DRAWN
    ]


def _column(rows: Sequence[dict[str, float]], name: str) -> np.ndarray:
    """Return one value per epoch, NaN where there is none or it is not finite."""
    values = np.array([row.get(name, np.nan) for row in rows], dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _draw_panel(axes: Axes, panel: Panel, rows: Sequence[dict[str, float]]) -> None:
    """Draw the lines of one panel, for training and for held-out pictures."""
    epochs = _column(rows, "epoch")
    marker = "o" if len(rows) == 1 else ""
    handles: dict[str, Line2D] = {}
    for index, (column, colour) in enumerate(zip(panel.columns, LINE_COLOURS, strict=False)):
        name = panel.names[index] if panel.names else "training"
        for key, style, label in ((column, "-", name), (f"val_{column}", "--", "held out")):
            values = _column(rows, key)
            if np.isfinite(values).any():
                (line,) = axes.plot(epochs, values, style, color=colour, marker=marker)
                # Where colours tell metrics apart, dashes are held-out pictures in any colour.
                grey = Line2D([], [], linestyle="--", color=GREY)
                handles[label] = grey if panel.names and style == "--" else line
    axes.set_xlim(0, max(np.nanmax(epochs), 1) * 1.02)
    axes.margins(y=0.1)
    if panel.limits:
        axes.set_ylim(*panel.limits)
    axes.set_title(panel.title, pad=20)
    axes.set_ylabel(panel.unit)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=panel.unit == "number"))
    _legend(axes, handles)


def _draw_reference(axes: Axes, value: float, words: str) -> None:
    """Draw a line to compare with; its words stand outside, where no curve can run through."""
    axes.axhline(value, color=GREY, linewidth=1, linestyle=":")
    axes.annotate(words, (1, value), (4, 0), xycoords=axes.get_yaxis_transform(),
                  textcoords="offset points", va="center", size=8, color=GREY)  # fmt: skip


def _legend(axes: Axes, handles: dict[str, Line2D]) -> None:
    """Put the legend between title and axes, where no line can run through it."""
    last = {"held out": handles.pop("held out")} if "held out" in handles else {}
    shown = handles | last
    axes.legend(
        list(shown.values()),
        list(shown),
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=len(shown),
        borderpad=0,
        borderaxespad=0.3,
        columnspacing=1,
        handlelength=1.6,
    )
