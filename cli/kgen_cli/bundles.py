"""What the commands on exported bundles share: finding one, and showing a table."""

import sys
from pathlib import Path
from typing import Any

from kgen.errors import KgenError
from kgen.families import FAMILIES
from kgen.run import CONFIG, Run

MANIFEST = "kgen.json"
EXPORT_FOLDER = "export"
"""Where `kgen export` writes inside of a run, unless told otherwise."""
BUNDLE_HELP = "Folder of a bundle, or a run or family whose export it is."


def find(name: str, runs_root: Path) -> Path:
    """Find the bundle that a user means: a folder, or the export of a run or of a newest run.

    Raises:
        KgenError: there is none.
    """
    folder = Path(name)
    if (folder / MANIFEST).is_file():
        return folder
    if not (folder / CONFIG).is_file() and name not in FAMILIES:
        raise KgenError(
            f"A bundle is a folder with a {MANIFEST}, made by kgen export; a run or a family "
            f"({' | '.join(FAMILIES)}) stands for its export. Received: {name}."
        )
    run = Run.open(name, root=runs_root)
    if not (run.path / EXPORT_FOLDER / MANIFEST).is_file():
        raise KgenError(f"{run.path} is not exported yet. Export it with: kgen export {run.path}")
    return run.path / EXPORT_FOLDER


def print_table(columns: dict[str, str], rows: list[list[str]]) -> None:
    """Print a table without lines.

    Args:
        columns: name to justification, ``left`` or ``right``.
        rows: a text for each column.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name, justify in columns.items():
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        # Text, so that brackets in a message are not read as markup.
        table.add_row(*[Text(cell) for cell in row])
    Console(width=width(), highlight=False).print(table)


def width() -> int | None:
    """Return how long lines may be: as the terminal; whole lines for anything else."""
    return None if sys.stdout.isatty() else 10_000


def error_rows(checks: Any) -> list[list[str]]:
    """Write checks as rows: file, size, errors, verdict."""
    from kgen_cli.text import size

    rows = []
    for check in checks:
        entry = check.entry
        error = entry.picture or next(iter(entry.error.values()), None)
        rows.append([
            entry.path,
            size(entry.bytes),
            f"{error['max_abs']:.1e}" if error else "",
            f"{error['psnr_db']:.0f} dB" if error else "",
            "ok" if check.problem is None else f"refused: {check.problem}",
        ])  # fmt: skip
    return rows


ERROR_COLUMNS = {
    "file": "left", "size": "right", "largest error": "right", "PSNR": "right", "verdict": "left",
}  # fmt: skip
