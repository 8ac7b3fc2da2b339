"""A comparison as a page: the table, and the same noise drawn by every model."""

from itertools import groupby

from kgen.evaluation.record import Series
from kgen.evaluation.report import catalogue
from kgen.evaluation.report.album import picture
from kgen.evaluation.report.compare import BETTER, SAME, SHARE, SURE, WORSE, Comparison, Row
from kgen.evaluation.report.curve import drawing
from kgen.evaluation.report.facts import facts_of
from kgen.evaluation.report.verdict import percent
from kgen.page import columns, document, facts, table, text

SHOWN = ("samples", "reconstructions", "closest")
"""Pictures that are shown side by side."""
SHORT = {SAME: "no difference shown"}
"""For a narrow column."""


def page(comparison: Comparison) -> str:
    """Write the page.

    Raises:
        KgenError: a record has a number that this kgen does not know.
    """
    names = comparison.names
    said = "".join(f"<li>{text(sentence)}</li>" for sentence in comparison.summary())
    left_out = "".join(f"<p><strong>{text(s)}</strong></p>" for s in comparison.left_out)
    body = [
        f"<h1>{text(', '.join(names))}: a comparison</h1>",
        f'<ul class="verdict">{said}</ul>',
        "<h2>The numbers</h2>",
        f"<p>Everything is compared with {text(names[0])}. A difference counts if it exceeds "
        f"{percent(SHARE)} of the larger number and {SURE} standard deviations of the difference; "
        "of a likelihood the standard deviations alone count. Whatever is less, training once more "
        "from another seed may turn round.</p>",
        left_out,
        _table(comparison),
        *(_grids(comparison, name) for name in SHOWN),
        *(_overlay(comparison, name) for name in catalogue.SERIES),
        "<h2>What was compared</h2>",
        *(
            f"<h3>{text(name)}</h3>{facts(facts_of(record))}"
            for name, record in zip(names, comparison.records, strict=True)
        ),
    ]
    return document(f"{', '.join(names)}: comparison", body)


def _table(comparison: Comparison) -> str:
    """Write a row for every number and a column for every model."""
    width = 2 + len(comparison.names)
    bodies = "".join(
        f'<tbody><tr><th scope="rowgroup" colspan="{width}">{text(group)}</th></tr>'
        f"{''.join(map(_row, rows))}</tbody>"
        for group, rows in groupby(comparison.rows, key=lambda row: row.group)
    )
    head = columns(["number"], (*comparison.names, "better is"))
    return table(head, bodies, "Every number of every model")


def _row(row: Row) -> str:
    cells = [f"<td>{text(row.cells[0])}</td>"]
    for cell, verdict in zip(row.cells[1:], row.verdicts, strict=True):
        look = {BETTER: "good", WORSE: "bad"}.get(verdict or "", "soft")
        said = text(SHORT.get(verdict or "", verdict))
        words = "" if verdict is None else f'<small class="{look}">{said}</small>'
        cells.append(f"<td>{text(cell)}{words}</td>")
    return (
        f'<tr><th scope="row" class="name">{text(row.label)}</th>{"".join(cells)}'
        f"<td>{text(row.direction)}</td></tr>"
    )


def _grids(comparison: Comparison, name: str) -> str:
    """Show a set of pictures of every model that has it, side by side."""
    entry = catalogue.pictures(name)
    shown = [
        (model, record.findings.pictures[name])
        for model, record in zip(comparison.names, comparison.records, strict=True)
        if len(record.findings.pictures.get(name, ()))
    ]
    if not shown:
        return ""
    seeds = {record.protocol.seed for record in comparison.records}
    said = entry.reading
    if name == "samples" and len(seeds) == 1:
        said = f"All are of seed {seeds.pop()}: models with the same inputs have the same noise."
    figures = "".join(
        f"<figure>{picture(name, images, model)}<figcaption>{text(model)}</figcaption></figure>"
        for model, images in shown
    )
    return f'<h2>{text(entry.label)}</h2><p>{text(said)}</p><div class="grids">{figures}</div>'


def _overlay(comparison: Comparison, name: str) -> str:
    """Draw a series of all models in one, where two or more have it over the same numbers."""
    found = {
        model: record.findings.series[name]
        for model, record in zip(comparison.names, comparison.records, strict=True)
        if name in record.findings.series and record.findings.series[name].lines
    }
    if len(found) < 2 or len({series.x for series in found.values()}) > 1:
        return ""
    one = next(iter(found.values()))
    others = list(one.lines.items())[1:]
    lines = {model: next(iter(series.lines.values())) for model, series in found.items()}
    both = Series(
        x=one.x, x_label=one.x_label, y_label=one.y_label, log_x=one.log_x, log_y=one.log_y,
        lines=lines | {label: line for label, line in others if label not in lines},
    )  # fmt: skip
    entry = catalogue.series(name)
    return (
        f"<h2>{text(entry.label)}</h2><p>{text(entry.reading)}</p>"
        f'<div class="drawing">{drawing(f"drawing-{name}", entry.label, both)}</div>'
    )
