"""What an evaluation found, as it is kept: numbers, curves and pictures in one folder.

::

    metrics.json     the numbers, with what one needs to trust them
    pictures.npz     the pictures that the report shows, uint8 (n, height, width, channels) each
    report.html      the same for people
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np

from kgen.errors import KgenError
from kgen.files import replacing, write_text

METRICS, PICTURES, REPORT = "metrics.json", "pictures.npz", "report.html"
SCHEMA = 2
# What damaged JSON, a damaged archive and values of another shape raise.
UNREADABLE = (
    OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, BadZipFile, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """A number, and what one needs to trust it; None where something is not defined or measured.

    Attributes:
        value: the number.
        sd: its standard deviation over draws of as many pictures.
        floor: the same number for real pictures in place of generated ones, as many of them.
        bar: the same number for the Gaussian generator, which anything must beat.
        bias: how much of `value` is expected of two finite samples of one distribution.
    """

    value: float
    sd: float | None = None
    floor: float | None = None
    bar: float | None = None
    bias: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """A drawing of numbers against numbers or names.

    Attributes:
        x: where, numbers; or names, and then it is a drawing of bars.
        x_label: what `x` is, with its unit.
        y_label: what the lines are, with their unit.
        lines: by name, a number for each x; the first is the model's, others are to compare with.
        log_x, log_y: whether an axis is logarithmic.
    """

    x: tuple[float | str, ...]
    x_label: str
    y_label: str
    lines: dict[str, tuple[float, ...]]
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Findings:
    """What one part of an evaluation found.

    Attributes:
        values: numbers, by names of :mod:`kgen.evaluation.report.catalogue`.
        series: drawings, by names of the same catalogue.
        pictures: uint8 (n, height, width, channels), by name.
        warnings: sentences for people: what is wrong with the model, or with trusting a number.
    """

    values: dict[str, Value] = field(default_factory=dict)
    series: dict[str, Series] = field(default_factory=dict)
    pictures: dict[str, np.ndarray] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __or__(self, other: "Findings") -> "Findings":
        """Add what another part found."""
        return Findings(
            values=self.values | other.values,
            series=self.series | other.series,
            pictures=self.pictures | other.pictures,
            warnings=self.warnings + other.warnings,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What was evaluated.

    Attributes:
        name: for people, such as the run's folder.
        kind: ``run``, ``bundle`` or ``pictures``.
        family: ``gan``, ``ae``, ``vae``, ``ddpm``; None for pictures made elsewhere.
        path: where it is.
        precision: of a bundle's files, such as ``int8``.
        sampler: of a ddpm, such as ``ddim eta=0, 50 steps``.
        parameters: trainable numbers of what draws the pictures.
        training_seconds: that the run took.
        seconds_per_picture: of drawing, on the machine that evaluated.
        bytes: of the files that draw the pictures, of a bundle.
    """

    name: str
    kind: str
    family: str | None = None
    path: str | None = None
    precision: str | None = None
    sampler: str | None = None
    parameters: int | None = None
    training_seconds: float | None = None
    seconds_per_picture: float | None = None
    bytes: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Protocol:
    """How it was evaluated; only numbers of equal protocols compare.

    Attributes:
        data: name of the real pictures.
        split: which of them are the reference: ``test``, or ``held out`` of the run.
        reference: number of reference pictures.
        n: number of generated pictures.
        seed: of their noise.
        extractor: name of what the features come from.
        extractor_sha256: of its weights.
        extractor_accuracy: share of held-out pictures that it classifies rightly.
        class_names: of the classifier's classes.
    """

    data: str
    split: str
    reference: int
    n: int
    seed: int
    extractor: str
    extractor_sha256: str
    extractor_accuracy: float | None = None
    class_names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Record:
    """An evaluation.

    Attributes:
        key: hash of everything that the numbers depend on; equal keys, equal numbers.
        kgen: version that evaluated.
        created: ISO time.
        environment: versions and machine, for people.
    """

    target: Target
    protocol: Protocol
    findings: Findings
    key: str
    kgen: str
    created: str
    environment: dict[str, str] = field(default_factory=dict)

    def to_mapping(self) -> dict[str, Any]:
        """Return the numbers as plain values for JSON; the pictures are not among them."""
        found = self.findings
        return {
            "schema": SCHEMA,
            "key": self.key,
            "kgen": self.kgen,
            "created": self.created,
            "environment": self.environment,
            "target": asdict(self.target),
            "protocol": asdict(self.protocol),
            "values": {name: asdict(value) for name, value in found.values.items()},
            "series": {name: asdict(series) for name, series in found.series.items()},
            "warnings": list(found.warnings),
        }

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], pictures: Mapping[str, np.ndarray]) -> Self:
        """Rebuild a record from plain values.

        Raises:
            KeyError, TypeError, AttributeError: they are not a record's.
        """
        protocol: dict[str, Any] = dict(values["protocol"])
        protocol["class_names"] = tuple(protocol["class_names"])
        return cls(
            key=values["key"],
            kgen=values["kgen"],
            created=values["created"],
            environment=dict(values["environment"]),
            target=Target(**values["target"]),
            protocol=Protocol(**protocol),
            findings=Findings(
                values={name: Value(**value) for name, value in values["values"].items()},
                series={name: _series(series) for name, series in values["series"].items()},
                pictures=dict(pictures),
                warnings=tuple(values["warnings"]),
            ),
        )

    def write(self, folder: Path) -> None:
        """Write the numbers and the pictures.

        Raises:
            KgenError: they cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / PICTURES) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **self.findings.pictures)  # type: ignore[arg-type]
        text = json.dumps(self.to_mapping(), indent=2, allow_nan=False)
        write_text(folder / METRICS, text + "\n")

    @staticmethod
    def key_in(folder: Path) -> str | None:
        """Read the key of what :meth:`write` wrote; None if there is nothing, or another schema.

        Raises:
            KgenError: it is damaged.
        """
        path = folder / METRICS
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return values["key"] if values.get("schema") == SCHEMA else None
        except FileNotFoundError:
            return None
        except UNREADABLE as error:
            raise _damaged(path, error) from error

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what :meth:`write` wrote.

        Raises:
            KgenError: it is not there, damaged, or of another kgen.
        """
        path = folder / METRICS
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values.get("schema") != SCHEMA:
                raise KgenError(
                    f"{path} is read in schema {SCHEMA}. Received: schema="
                    f"{values.get('schema')!r}. Evaluate again, or update kgen."
                )
            # NumPy leaves a file of its own open where it is no archive.
            with (
                (folder / PICTURES).open("rb") as file,
                np.load(file, allow_pickle=False) as arrays,
            ):
                return cls.from_mapping(values, {name: arrays[name] for name in arrays.files})
        except FileNotFoundError as error:
            raise KgenError(
                f"An evaluation is a folder with {METRICS} and {PICTURES}. Received: {folder}."
            ) from error
        except UNREADABLE as error:
            raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> KgenError:
    """Make the error for a file that is no evaluation."""
    return KgenError(f"{path} is not an evaluation: {error}. Evaluate again.")


def _series(values: Mapping[str, Any]) -> Series:
    """Rebuild a drawing: JSON knows no tuples."""
    plain: dict[str, Any] = dict(values)
    plain["x"] = tuple(plain["x"])
    plain["lines"] = {name: tuple(line) for name, line in plain["lines"].items()}
    return Series(**plain)
