"""A run is a folder: what was asked for, what was learned, and how it went.

::

    runs/gan-embedded-20261123-101500/
        config.toml      the resolved configuration
        model.keras      the finished model, weight averages included
        checkpoints/     where a stopped run resumes
        samples/         pictures drawn on the way, and at the end
        history.csv      a row per epoch
        curves.png       the same, drawn
        summary.json     status, versions, device, parameters, time, last metrics
"""

import csv
import json
import math
import socket
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import psutil

from kgen.errors import KgenError
from kgen.families import FAMILIES
from kgen.files import replacing, write_text
from kgen.run_config import RunConfig, read_toml

CONFIG = "config.toml"
DEFAULT_ROOT = Path("runs")


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run's folder and configuration."""

    path: Path
    config: RunConfig

    @classmethod
    def create(
        cls, config: RunConfig, *, path: Path | None = None, root: Path = DEFAULT_ROOT
    ) -> Self:
        """Make the folder of a new run and write its configuration.

        Args:
            config: what to train.
            path: the folder; None names one under `root` after family, data and time.

        Raises:
            KgenError: the folder has something in it already, or cannot be written.
        """
        path = path or _free_path(root, config)
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            raise KgenError(
                f"A new run needs an empty folder. Received: {path}, which is not empty. "
                "Choose another, or continue that run with --resume."
            )
        run, is_new = cls(path=path, config=config), not path.exists()
        try:
            write_text(path / CONFIG, config.to_toml())
        except KgenError:
            if is_new and path.is_dir():
                path.rmdir()  # a disk with room for a folder and not for what goes into it
            raise
        return run

    @classmethod
    def open(cls, name: str | Path, *, root: Path = DEFAULT_ROOT) -> Self:
        """Open a run by its path, or the newest run of the family that is named.

        Raises:
            KgenError: there is no such run, or its configuration is broken.
        """
        path = Path(name)
        if not (path / CONFIG).is_file():
            if str(name) in FAMILIES:
                runs = [run for run in list_runs(root) if run.config.family == str(name)]
                if not runs:
                    raise KgenError(
                        f"There is no {name} run under {root}/. Train one with: kgen train {name}"
                    )
                return max(runs, key=lambda run: (run.path / CONFIG).stat().st_mtime)  # type: ignore[return-value]
            raise KgenError(
                f"A run is a folder with a {CONFIG}, or a family ({' | '.join(FAMILIES)}) for its "
                f"newest run. Received: {name}. List the runs with: kgen runs"
            )
        return cls(path=path, config=RunConfig.from_mapping(read_toml(path / CONFIG)))

    def replace_config(self, config: RunConfig) -> "Run":
        """Write a changed configuration and return the run with it."""
        write_text(self.path / CONFIG, config.to_toml())
        return Run(path=self.path, config=config)

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def samples(self) -> Path:
        """Folder of the pictures."""
        return self.path / "samples"

    @property
    def model_file(self) -> Path:
        """The finished model."""
        return self.path / "model.keras"

    @property
    def history_file(self) -> Path:
        """The table of the epochs."""
        return self.path / "history.csv"

    @property
    def curves_file(self) -> Path:
        """The drawing of the epochs."""
        return self.path / "curves.png"

    @property
    def summary_file(self) -> Path:
        """How the run went."""
        return self.path / "summary.json"

    def history(self) -> list[dict[str, float]]:
        """Read the rows of the epochs so far, oldest first."""
        if not self.history_file.is_file():
            return []
        with self.history_file.open(newline="", encoding="utf-8") as file:
            return [
                {key: _number(value) for key, value in row.items() if value}
                for row in csv.DictReader(file)
            ]

    def write_history(self, rows: list[dict[str, float]]) -> None:
        """Write all rows of the epochs; a column that a row lacks stays empty."""
        columns = list(dict.fromkeys(key for row in rows for key in row))
        with (
            replacing(self.history_file) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)

    def summary(self) -> dict[str, Any]:
        """Read how the run went; a run whose process is gone without a word is `interrupted`.

        Raises:
            KgenError: the file cannot be read, or is not a JSON object.
        """
        if not self.summary_file.is_file():
            return {"status": "new"}
        try:
            summary = json.loads(self.summary_file.read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise KgenError(
                f"{self.summary_file} is not JSON: {error}. "
                "Remove the file; training writes it anew."
            ) from error
        if not isinstance(summary, dict):
            raise KgenError(
                f"{self.summary_file} takes a JSON object. Received: {type(summary).__name__}. "
                "Remove the file; training writes it anew."
            )
        if summary.get("status") == "running" and not _is_alive(summary):
            summary["status"] = "interrupted"
        return summary

    def write_summary(self, values: Mapping[str, Any]) -> None:
        """Write how the run went."""
        write_text(self.summary_file, json.dumps(dict(values), indent=2) + "\n")


def list_runs(root: Path = DEFAULT_ROOT) -> list[Run]:
    """List the runs under a folder, by name; folders that are not runs are passed over."""
    found = []
    for config in sorted(root.glob(f"*/{CONFIG}")):
        try:
            found.append(Run.open(config.parent))
        except (KgenError, tomllib.TOMLDecodeError):
            continue
    return found


def _number(text: str) -> float:
    """Read a number as it was written: whole numbers stay whole."""
    return int(text) if text.isdecimal() else float(text)


def _is_alive(summary: Mapping[str, Any]) -> bool:
    """Tell whether the process that wrote a summary still runs, and not another with its number.

    One on another machine cannot be asked, and counts as gone: in a cluster a run goes on wherever
    there is room.
    """
    here = socket.gethostname()
    if summary.get("host", here) != here:
        return False
    try:
        process = psutil.Process(summary["pid"])
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        # `updated` is in whole seconds; a process that began after it is another one.
        updated = summary.get("updated")
        written = datetime.fromisoformat(updated).timestamp() if updated else math.inf
        return process.create_time() <= written + 2
    except (psutil.Error, KeyError, ValueError):
        return False


def _free_path(root: Path, config: RunConfig) -> Path:
    """Name a folder after family, data and time that does not exist yet."""
    source = Path(config.data.source)
    data = source.stem if source.exists() or source.suffix else config.data.source
    time = datetime.now(UTC).astimezone().strftime("%Y%m%d-%H%M%S")
    name = f"{config.family}-{data or 'data'}-{time}"
    path, copy = root / name, 2
    while path.exists():
        path, copy = root / f"{name}-{copy}", copy + 1
    return path
