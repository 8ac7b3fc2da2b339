"""An evaluation as a page: whole in itself, light or dark, wide or narrow."""

from collections.abc import Iterable

from kgen.evaluation.record import Record, Value
from kgen.evaluation.report import catalogue
from kgen.evaluation.report.album import album
from kgen.evaluation.report.curve import drawing
from kgen.evaluation.report.entry import GROUPS, Entry
from kgen.evaluation.report.facts import facts_of, title
from kgen.evaluation.report.verdict import place, placed, verdict, written
from kgen.page import columns, document, facts, table, text

HEAD = ("this model", "real pictures", "bar to beat", "by chance", "better is")
FIRST = ("samples", "closest")
"""Pictures that come before the drawings; the others come after."""
TITLES = {
    "numbers": "The numbers",
    "readings": "Number by number",
    "protocol": "How it was measured",
}


def page(record: Record) -> str:
    """Write the page.

    Raises:
        KgenError: the record has a number, drawing or set of pictures that this kgen does not know.
    """
    name = title(record.target)
    found = record.findings
    first = [(key, album(key, found.pictures[key])) for key in _shown(record)]
    drawn = [(key, _series(record, key)) for key in _drawn(record)]
    sections = [
        ("numbers", f'<h2 id="numbers">The numbers</h2>{_table(record)}'),
        *(section for section in first if section[0] in FIRST),
        *drawn,
        *(section for section in first if section[0] not in FIRST),
        ("readings", f'<h2 id="readings">Number by number</h2>{_readings(record)}'),
        ("protocol", f'<h2 id="protocol">How it was measured</h2>{_protocol(record)}'),
    ]
    body = [
        f"<h1>{text(name)}: an evaluation</h1>",
        _verdict(verdict(record), bool(found.warnings)),
        _warnings(found.warnings),
        _contents([key for key, _ in sections]),
        *(section for _, section in sections),
    ]
    return document(f"{name}: evaluation", body)


def _shown(record: Record) -> list[str]:
    """List the sets of pictures that there are, in the catalogue's order, unknown ones last."""
    found = [key for key, images in record.findings.pictures.items() if len(images)]
    known = list(catalogue.PICTURES)
    return sorted(found, key=lambda key: known.index(key) if key in known else len(known))


def _drawn(record: Record) -> list[str]:
    """List the drawings that there are, in the catalogue's order, unknown ones last."""
    found = [key for key, series in record.findings.series.items() if series.x and series.lines]
    known = list(catalogue.SERIES)
    return sorted(found, key=lambda key: known.index(key) if key in known else len(known))


def _verdict(sentences: Iterable[str], warned: bool) -> str:
    said = "".join(f"<li>{text(sentence)}</li>" for sentence in sentences)
    return f'<ul class="verdict{" warned" if warned else ""}">{said}</ul>'


def _warnings(warnings: tuple[str, ...]) -> str:
    if not warnings:
        return ""
    said = "".join(f"<li>{text(warning)}</li>" for warning in warnings)
    head = '<section class="warnings" aria-label="Warnings"><h2>Warnings</h2>'
    return f"{head}<ul>{said}</ul></section>"


def _contents(keys: Iterable[str]) -> str:
    """Link to the sections."""
    shown = {**catalogue.PICTURES, **catalogue.SERIES}
    links = "".join(
        f'<li><a href="#{key}">{text(TITLES.get(key) or shown[key].label)}</a></li>' for key in keys
    )
    return f'<nav aria-label="Contents"><ul>{links}</ul></nav>'


def entries(record: Record) -> dict[str, Entry]:
    """Return what the catalogue says of a record's numbers, in the order of reading."""
    found = record.findings.values
    every = {name: catalogue.value(name, record.protocol.extractor) for name in found}
    groups, known = list(GROUPS), list(catalogue.VALUES)
    order = sorted(every, key=lambda n: (groups.index(every[n].group), known.index(n)))
    return {name: every[name] for name in order}


def _table(record: Record) -> str:
    """Write a row for every number, in groups."""
    bodies: dict[str, list[str]] = {}
    for name, entry in entries(record).items():
        row = _row(name, entry, record.findings.values[name])
        bodies.setdefault(GROUPS[entry.group], []).append(row)
    if not bodies:
        return "<p>There are none.</p>"
    groups = "".join(
        f'<tbody><tr><th scope="rowgroup" colspan="{len(HEAD) + 1}">{text(group)}</th></tr>'
        f"{''.join(rows)}</tbody>"
        for group, rows in bodies.items()
    )
    words = (
        "<p>Beside each number: the same of as many real pictures; the same of what any network "
        "must beat, the Gaussian generator, which knows only the mean and the covariance of the "
        "pixels, and for likelihoods, reconstructions and noise the best linear model; and how "
        "much of it is expected of finite samples alone. ± is the standard deviation over draws of "
        "as many pictures.</p>"
    )
    made = table(columns(["number"], HEAD), groups, "Every number with its floor and its bar")
    return words + made


def _row(name: str, entry: Entry, value: Value) -> str:
    beside = (
        text(None if number is None else entry.write(number))
        for number in (value.floor, value.bar, value.bias)
    )
    return (
        f'<tr><th scope="row" class="name"><a href="#value-{text(name)}">{text(entry.label)}</a>'
        f"</th><td><strong>{text(written(entry, value))}</strong></td>"
        f"{''.join(f'<td>{cell}</td>' for cell in beside)}<td>{text(entry.direction)}</td></tr>"
    )


def _series(record: Record, name: str) -> str:
    entry = catalogue.series(name)
    drawn = drawing(f"drawing-{name}", entry.label, record.findings.series[name])
    return (
        f'<h2 id="{text(name)}">{text(entry.label)}</h2><p>{text(entry.reading)}</p>'
        f'<div class="drawing">{drawn}</div>'
    )


def _readings(record: Record) -> str:
    """Say of every number what it says and what it does not say."""
    cards = []
    for name, entry in entries(record).items():
        value = record.findings.values[name]
        unit = f" {entry.unit}" if entry.unit else ""
        where = placed(entry, value)
        cards.append(
            f'<article id="value-{text(name)}"><h3>{text(entry.label)}: '
            f"{text(written(entry, value) + unit)}</h3>{_meter(value)}"
            f"{f'<p><strong>{text(where)}</strong></p>' if where else ''}"
            f"<p>{text(entry.reading)}</p><p>{text(entry.caveat)}</p>"
            f'<p class="soft">{text(entry.source)}</p></article>'
        )
    return f'<div class="cards">{"".join(cards)}</div>'


def _meter(value: Value) -> str:
    """Draw where a number lies between the Gaussian generator and real pictures."""
    at = place(value)
    if at is None:
        return ""
    share = 100 * min(max(1 - at, 0.0), 1.0)
    return (
        '<div class="meter" aria-hidden="true"><span>Gaussian</span>'
        f'<span class="track"><span class="mark" style="left:{share:.1f}%"></span></span>'
        "<span>real</span></div>"
    )


def _protocol(record: Record) -> str:
    note = (
        "<p>Numbers compare where data, split, extractor and numbers of pictures are the same: "
        "<code>kgen compare</code> says so, and which differences mean something. "
        "<code>metrics.json</code> beside this page has all of them.</p>"
    )
    environment = facts(record.environment) if record.environment else ""
    details = f"<details><summary>Versions and machine</summary>{environment}</details>"
    return f"{facts(facts_of(record))}{note}{details if environment else ''}"
