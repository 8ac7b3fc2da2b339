"""`kgen runs`: which runs there are and how they went."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from kgen.errors import KgenError
from kgen.run import Run, list_runs
from kgen_cli.application import settings
from kgen_cli.text import metric_text, size


def runs(
    ctx: typer.Context,
    as_json: Annotated[
        bool, typer.Option("--json", metavar="", help="Print all that is known, for programs.")
    ] = False,
) -> None:
    """List the runs, newest first: state, last losses, age and size."""
    root = settings(ctx).runs_root
    rows = sorted((_row(run) for run in list_runs(root)), key=lambda row: row["age_seconds"])
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    elif rows:
        _print_table(rows)
    else:
        typer.echo(f"There are no runs under {root}/. Train one with: kgen train gan")


def _row(run: Run) -> dict[str, Any]:
    """Collect what is known of a run; one with a broken summary is listed as such."""
    try:
        summary = run.summary()
    except KgenError as error:
        summary = {"status": "broken", "problem": str(error)}
    modified, count = _disk(run.path)
    return {
        "run": str(run.path),
        "family": run.config.family,
        "data": summary.get("data", run.config.data.source),
        "backend": summary.get("backend", run.config.training.backend),
        "age_seconds": max(0.0, datetime.now(UTC).timestamp() - modified),
        "bytes": count,
        **{
            key: value for key, value in summary.items() if key not in ("family", "data", "backend")
        },
    }


def _disk(folder: Path) -> tuple[float, int]:
    """Return when a folder's files last changed (seconds since 1970), and their bytes."""
    newest, total = folder.stat().st_mtime, 0
    for file in folder.rglob("*"):
        try:
            found = file.stat()
        except FileNotFoundError:  # a checkpoint that a running training just replaced
            continue
        newest = max(newest, found.st_mtime)
        total += 0 if file.is_dir() else found.st_size
    return newest, total


def _print_table(rows: list[dict[str, Any]]) -> None:
    """Print a row per run, or where the terminal is too narrow for that, a paragraph per run."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=_width(), highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("run", "family", "data", "backend", "state"):
        table.add_column(name)
    table.add_column("steps", justify="right")
    table.add_column("last losses")
    table.add_column("age", justify="right")
    table.add_column("size", justify="right")
    cells = [_cells(row) for row in rows]
    for texts in cells:
        table.add_row(*(Text(text) for text in texts))
    unlimited = console.options.update(max_width=10_000)
    if console.measure(table, options=unlimited).maximum <= console.width:
        console.print(table)
        return
    for run, *details in cells:
        console.print(run, markup=False, style="bold")
        console.print("  " + ", ".join(text for text in details if text), markup=False)


def _width() -> int | None:
    """Return how long lines may be: as the terminal; whole lines for anything else."""
    return None if sys.stdout.isatty() else 10_000


def _cells(row: dict[str, Any]) -> list[str]:
    """Write what the table shows of a run."""
    return [
        row["run"],
        row["family"],
        str(row["data"]),
        str(row["backend"] or ""),
        row["status"],
        _steps(row),
        metric_text(_losses(row.get("metrics", {}))),
        _age(row["age_seconds"]),
        size(row["bytes"]),
    ]


def _steps(row: dict[str, Any]) -> str:
    """Write the steps done, and of how many if not all."""
    done, total = row.get("step"), row.get("total_steps")
    if done is None:
        return ""
    return f"{done}" if done == total else f"{done}/{total}"


def _losses(metrics: dict[str, float]) -> dict[str, float]:
    """Keep the training losses, at most two."""
    losses = {k: v for k, v in metrics.items() if "loss" in k and not k.startswith("val_")}
    return dict(list(losses.items())[:2])


def _age(seconds: float) -> str:
    """Write an age in its largest unit: `5 min`, `3 h`, `12 d`."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"
