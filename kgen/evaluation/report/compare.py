"""Two or more evaluations side by side: which differences mean something, and which do not."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from kgen.errors import KgenError
from kgen.evaluation.record import Record, Value
from kgen.evaluation.report import catalogue
from kgen.evaluation.report.entry import GROUPS, Entry
from kgen.evaluation.report.facts import duration, size, title
from kgen.evaluation.report.verdict import written

SHARE = 0.15
"""Share of a number within which a difference means nothing: training again from another seed, or
another seed of the extractor, moves a distance by as much."""
SURE = 5
"""Standard deviations of a difference within which it means nothing."""

BETTER, WORSE = "better", "worse"
SAME = "no difference that these numbers can show"
EQUAL = "equal"
UNKNOWN = "not known: no standard deviation"

OF_DATA = ("data", "split", "reference")
OF_SAMPLES = ("n",)
OF_FEATURES = ("extractor", "extractor_sha256")
NAMES = {
    "data": "data", "split": "split", "reference": "number of real pictures",
    "n": "number of generated pictures", "extractor": "extractor",
    "extractor_sha256": "weights of the extractor",
}  # fmt: skip

FACTS = "What it costs"
"""Heading of the rows that are about the model and not about its pictures."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A number of every model.

    Attributes:
        name: key of `Findings.values`, or attribute of `Target`.
        label: for people.
        group: heading that it stands under.
        direction: which way is better.
        cells: the number of each model, written; None where there is none.
        verdicts: of each model after the first, beside the first: `BETTER`, `WORSE`, `SAME`,
            `EQUAL` or `UNKNOWN`; None where either has no number, or neither way is better.
    """

    name: str
    label: str
    group: str
    direction: str
    cells: tuple[str | None, ...]
    verdicts: tuple[str | None, ...]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Comparison:
    """Evaluations that may stand in one table; made by :meth:`of`.

    Attributes:
        records: two or more; the others are compared with the first.
        rows: a number each, in the order of reading.
        left_out: sentences: which numbers are not here, and why.
    """

    records: tuple[Record, ...]
    rows: tuple[Row, ...]
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(cls, records: Sequence[Record], *, partly: bool = False) -> Self:
        """Compare evaluations with the first of them.

        Args:
            records: two or more.
            partly: whether to leave out the numbers whose protocols differ and compare the rest,
                in place of refusing.

        Raises:
            KgenError: fewer than two, or their protocols differ.
        """
        if len(records) < 2:
            raise KgenError(
                f"A comparison takes two evaluations or more. Received: {len(records)}."
            )
        protocols = [record.protocol for record in records]
        differing = [name for name in NAMES if len({getattr(p, name) for p in protocols}) > 1]
        if differing and not partly:
            raise KgenError(_refusal(records, differing))
        rows = [
            _row(name, entry, [r.findings.values.get(name) for r in records])
            for name, entry in _entries(records).items()
            if _comparable(entry, differing)
        ]
        return cls(
            records=tuple(records),
            rows=(*rows, *_costs(records)),
            left_out=_left_out(differing),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Name every model; equal names are told apart by numbers."""
        titles = [title(record.target) for record in self.records]
        return tuple(
            f"{name} ({titles[: i + 1].count(name)})" if titles.count(name) > 1 else name
            for i, name in enumerate(titles)
        )

    def table(self) -> list[tuple[str, ...]]:
        """Return the rows in plain words, headings first: for a terminal.

        Returns:
            (number, better is, first model, second model, its verdict, third model, ...) each.
        """
        first, *others = self.names
        head = ("number", "better is", first, *(w for n in others for w in (n, "beside the first")))
        return [head, *(_plain(row) for row in self.rows)]

    def summary(self) -> tuple[str, ...]:
        """Say for every model after the first where it is better, worse, or not known to be."""
        first, *others = self.names
        said = []
        for i, name in enumerate(others):
            found = {
                word: [row.label for row in self.rows if row.verdicts[i] == word]
                for word in (BETTER, WORSE)
            }
            parts = [f"{word} in {', '.join(labels)}" for word, labels in found.items() if labels]
            undecided = sum(row.verdicts[i] in (SAME, EQUAL) for row in self.rows)
            if not parts:
                said.append(f"{name} beside {first}: {SAME}.")
                continue
            rest = f"; {undecided} other numbers show no difference" if undecided else ""
            said.append(f"{name} beside {first}: {'; '.join(parts)}{rest}.")
        return tuple(said)


def judge(entry: Entry, first: Value, second: Value) -> str:
    """Say whether a number of a second model is better than that of a first.

    A difference means something if it exceeds both 15 % of the larger number and 5 standard
    deviations of the difference, sqrt(sd1^2 + sd2^2). Where the zero is arbitrary, as of a
    likelihood, only the standard deviations count; what is counted rather than estimated differs
    if it is not equal.

    Returns:
        `BETTER`, `WORSE`, `SAME`, `EQUAL` or `UNKNOWN`.
    """
    if first.value == second.value:
        return EQUAL
    known = first.sd is not None and second.sd is not None
    if entry.noise == "deviation" and not known:
        return UNKNOWN
    noise = 0.0
    if entry.noise != "none":
        noise = SURE * math.hypot(first.sd or 0.0, second.sd or 0.0)
    if entry.noise == "relative":
        noise = max(noise, SHARE * max(abs(first.value), abs(second.value)))
    if abs(second.value - first.value) <= noise:
        return SAME
    gain = entry.badness(first.value) - entry.badness(second.value)
    # On two sides of the target, and as far from it: different, but neither is better.
    return SAME if gain == 0 else BETTER if gain > 0 else WORSE


def _entries(records: Sequence[Record]) -> dict[str, Entry]:
    """Return what the catalogue says of every number of any record, in the order of reading."""
    found = {name for record in records for name in record.findings.values}
    extractor = records[0].protocol.extractor
    every = {name: catalogue.value(name, extractor) for name in sorted(found)}
    groups, known = list(GROUPS), list(catalogue.VALUES)
    order = sorted(every, key=lambda n: (groups.index(every[n].group), known.index(n)))
    return {name: every[name] for name in order}


def _row(name: str, entry: Entry, values: Sequence[Value | None]) -> Row:
    first, *others = values
    return Row(
        name=name,
        label=entry.label,
        group=GROUPS[entry.group],
        direction=entry.direction,
        cells=tuple(None if v is None else written(entry, v) for v in values),
        verdicts=tuple(
            None
            if first is None or v is None or entry.better == "neither"
            else judge(entry, first, v)
            for v in others
        ),
    )


def _costs(records: Sequence[Record]) -> list[Row]:
    """Write the rows about the models themselves; only those that any model knows."""
    rows = []
    for name, (entry, write) in COSTS.items():
        found = [getattr(record.target, name) for record in records]
        values = [None if number is None else Value(value=number) for number in found]
        if any(value is not None for value in values):
            cells = tuple(None if number is None else write(number) for number in found)
            rows.append(replace(_row(name, entry, values), group=FACTS, cells=cells))
    return rows


def _cost(label: str, noise: str) -> Entry:
    """Say what a cost is; times are measured, and the rest is counted."""
    return Entry(
        label=label, group="quality", better="lower", form="g",
        noise="relative" if noise == "measured" else "none", of_data=False,
        reading="", caveat="", source="",
    )  # fmt: skip


COSTS = {
    "parameters": (_cost("parameters", "counted"), "{:,}".format),
    "training_seconds": (_cost("training time", "measured"), duration),
    "seconds_per_picture": (_cost("time per picture", "measured"), duration),
    "bytes": (_cost("size on device", "counted"), size),
}


def _comparable(entry: Entry, differing: Sequence[str]) -> bool:
    """Say whether a number compares although some things differ."""
    matters = (*(OF_DATA if entry.of_data else ()), *(OF_FEATURES if entry.of_features else ()))
    if entry.of_features or entry.of_samples:
        matters += OF_SAMPLES
    return not set(matters) & set(differing)


def _refusal(records: Sequence[Record], differing: Sequence[str]) -> str:
    """Say which protocols differ, and how to make them equal."""
    first = records[0].protocol
    found = "; ".join(
        f"{NAMES[name]}: "
        + ", ".join(f"{r.target.name}={_short(getattr(r.protocol, name))}" for r in records)
        for name in differing
    )
    return (
        f"Only evaluations of one protocol compare. Received: {found}. Evaluate the others as the "
        f"first: kgen evaluate NAME --data {first.data} -n {first.n}, with the extractor "
        f"{first.extractor}."
    )


def _short(value: object) -> str:
    return str(value)[:24]


def _left_out(differing: Sequence[str]) -> tuple[str, ...]:
    if not differing:
        return ()
    names = ", ".join(NAMES[name] for name in differing)
    return (f"Numbers that depend on what differs are left out ({names}).",)


def _plain(row: Row) -> tuple[str, ...]:
    first, *others = (cell or "-" for cell in row.cells)
    words = ("no difference" if verdict == SAME else verdict or "-" for verdict in row.verdicts)
    pairs = zip(others, words, strict=True)
    return (row.label, row.direction, first, *(text for pair in pairs for text in pair))
