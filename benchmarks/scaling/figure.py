"""The figure of benchmarks/scale.py: efficiency over devices, a line for each link."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, PercentFormatter

from kgen.plots.style import CLASS_COLOURS, WIDTH, styled

KINDS = {"weak": "as many pictures on every device", "strong": "one batch, shared by all"}


@styled
def draw(results: Sequence[dict[str, Any]]) -> Figure:
    """Draw a column for each family; above the batch grows with the devices, below it does not."""
    figure = Figure(figsize=(WIDTH, 5.6), layout="constrained")
    panels = figure.subplots(len(KINDS), len(results), sharex=True, sharey=True, squeeze=False)
    for row, (kind, words) in zip(panels, KINDS.items(), strict=True):
        for axes, result in zip(row, results, strict=True):
            _panel(axes, result, kind)
        row[0].set_ylabel(f"efficiency,\n{words}")
    for axes, result in zip(panels[0], results, strict=True):
        axes.set_title(f"{result['family'].upper()}: {result['step_ms']:.3g} ms a step")
    for axes in panels[-1]:
        axes.set_xlabel("devices")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def _panel(axes: Axes, result: dict[str, Any], kind: str) -> None:
    """Draw a family's lines."""
    devices = result["devices"]
    for (link, values), colour in zip(result[kind].items(), CLASS_COLOURS, strict=False):
        axes.plot(devices, values, color=colour, label=link, marker="o", markersize=3)
    axes.set_xscale("log", base=2)
    axes.set_xticks(devices, [str(n) for n in devices])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(0, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
