"""What benchmarks/quality.py keeps, one line of JSON for each result, and the table of it."""

import json
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.contestants import CONTESTANTS

Result = Mapping[str, Any]
Key = tuple[str, float, int, int]
"""Contestant, minutes, seed, pictures drawn."""

COLUMNS = {
    "frechet_distance": ("FD", 1),
    "precision": ("precision", 2),
    "recall": ("recall", 2),
    "density": ("density", 2),
    "coverage": ("coverage", 2),
    "classifier_score": ("CS", 2),
    "elbo": ("ELBO", 0),
}
"""Values by name: head of the column, decimals."""
SPENT = {
    "steps": ("steps", 0),
    "cpu_seconds": ("CPU s", 0),
    "sampling": ("ms/picture", 1),
}
"""What was spent, in the same way."""


def key(result: Result) -> Key:
    """Return what makes a result a result of its own."""
    return (result["who"], float(result["minutes"]), int(result["seed"]), int(result["n"]))


def read(path: Path) -> dict[Key, Result]:
    """Read all results, by key; of two with equal keys the later.

    A last line that a kill cut short is left out; any other line that is not JSON is an error.

    Raises:
        ValueError: the file holds something else.
    """
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1].splitlines()
    found = [json.loads(line) for line in whole if line.strip()]
    return {key(result): result for result in found}


def append(path: Path, result: Result) -> None:
    """Add a result, on a line of its own even where the last line was cut short."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(result, allow_nan=False) + "\n"
    with path.open("a+b") as file:
        if file.tell() > 0:
            file.seek(-1, 2)
            if file.read(1) != b"\n":
                file.truncate(_whole(path))
        file.write(line.encode())


def _whole(path: Path) -> int:
    """Return the length of a file's whole lines."""
    return path.read_bytes().rfind(b"\n") + 1


def table(results: Iterable[Result]) -> list[str]:
    """Lay results out, a line for each contestant and budget: means over the seeds, and their sd.

    Raises:
        ValueError: they are of several extractors, whose numbers do not compare.
    """
    found = list(results)
    extractors = sorted({result["extractor"] for result in found})
    if len(extractors) > 1:
        raise ValueError(f"Numbers of one extractor compare. Received: {', '.join(extractors)}.")
    if not found:
        return ["There are no results yet."]
    shown = {
        name: head for name, head in COLUMNS.items() if any(name in r["values"] for r in found)
    }
    rows = [["family", "who", "minutes", "seeds", *(head for head, _ in (SPENT | shown).values())]]
    names = list(CONTESTANTS)
    groups = {(r["family"], float(r["minutes"]), r["who"], r["n"]) for r in found}
    order = sorted(groups, key=lambda g: (names.index(g[2]) if g[2] in names else 99, *g[1:]))
    for family in dict.fromkeys(group[0] for group in order):
        for group in sorted((g for g in order if g[0] == family), key=lambda g: g[1]):
            _, minutes, who, n = group
            same = [
                r for r in found if (r["who"], float(r["minutes"]), r["n"]) == (who, minutes, n)
            ]
            spent = {
                "steps": [r["steps"] for r in same],
                "cpu_seconds": [r["cpu_seconds"] for r in same],
                "sampling": [1000 * r["sampling_seconds"] / r["n"] for r in same],
            }
            values = {name: [r["values"].get(name) for r in same] for name in shown}
            rows.append([
                family, who, f"{minutes:g}", str(len(same)),
                *(cell(spent[name], places, sd=False) for name, (_, places) in SPENT.items()),
                *(cell(values[name], places) for name, (_, places) in shown.items()),
            ])  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    title = f"features: {extractors[0]}; mean over seeds ± standard deviation between them"
    return [title, *("  ".join(_aligned(row, widths)).rstrip() for row in rows)]


def cell(values: list[float | None], places: int, *, sd: bool = True) -> str:
    """Write the mean of what several seeds gave, and with several, how far they are apart."""
    there = [float(value) for value in values if value is not None]
    if not there:
        return "-"
    mean = f"{statistics.fmean(there):,.{places}f}"
    return f"{mean} ± {statistics.stdev(there):.{places}f}" if sd and len(there) > 1 else mean


def _aligned(row: list[str], widths: list[int]) -> list[str]:
    """Names to the left, numbers to the right."""
    return [
        text.ljust(width) if i < 2 else text.rjust(width)
        for i, (text, width) in enumerate(zip(row, widths, strict=True))
    ]
