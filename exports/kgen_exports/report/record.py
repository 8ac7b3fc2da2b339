"""What a report says, in numbers and in words."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Self

import numpy as np

from kgen_exports.manifest import FORMATS, PRECISIONS, FileEntry, Manifest
from kgen_exports.proof import FP32_SHARE, LEAST_DB, Check

SCHEMA = "kgen-report-1"
RUNTIME_PACKAGES = ("onnxruntime", "onnxruntime-gpu", "ai-edge-litert", "numpy")
BINS = np.linspace(-9.0, 0.0, 37)
"""Edges of the histograms: log10 of a difference as a share of the output's range."""

# What each limit was chosen by; the measurements are in docs/export.md.
ORIGINS = {
    "fp32": "The same arithmetic in another order: on outputs from -1 to 1, 3e-6 was measured of "
    "one call and 5e-5 after 20 steps of a sampler. More is another model.",
    "fp16": "Weights rounded to 11 bits gave 56 dB and more after 20 steps of a sampler, and 79 dB "
    "and more in one call. 50 dB is less than one grey level of 255.",
    "int8": "Weights of 8 bits gave 34 to 39 dB after 20 steps of a sampler, and 54 dB and more in "
    "one call. 30 dB is eight grey levels of 255.",
    "int8-static": "Arithmetic of 8 bits gave 44 to 46 dB in one call of a generator, and 10 dB "
    "after 20 steps of a sampler, for which it is not offered. 30 dB as for int8.",
}

# Decibels from which a picture is as the words say, from good to bad. An error of d dB is, as the
# root of its mean square, 255 / 10^(d / 20) grey levels of 255; rounding to bytes makes 0.29.
READINGS = (
    (58.9, "no one sees it: less than what rounding to bytes changes"),
    (48.1, "no one sees it: less than one grey level of 255"),
    (40.0, "not seen side by side: one to three grey levels"),
    (34.0, "seen only by flicking from one to the other: up to five grey levels"),
    (30.0, "seen when looking closely: five to eight grey levels"),
    (0.0, "seen: more than eight grey levels"),
)


def reading(psnr_db: float) -> str:
    """Say in plain words what an error of so many decibels looks like."""
    return next((words for least, words in READINGS if psnr_db >= least), READINGS[-1][1])


def gate(precision: str) -> dict[str, Any]:
    """Return the limit of a precision: what is limited, how, and why there."""
    if precision == "fp32":
        limit = {"measure": "max_abs", "at_most_share_of_range": FP32_SHARE}
        text = f"largest error at most {FP32_SHARE:.0e} of the output's range"
        short = f"max. {FP32_SHARE:.0e} of range"
    else:
        limit = {"measure": "psnr_db", "at_least": LEAST_DB[precision]}
        short = f"{LEAST_DB[precision]:.0f} dB"
        text = f"at least {short}"
    return {**limit, "short": short, "text": text, "origin": ORIGINS[precision]}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One file in the report.

    Attributes:
        check: what was measured.
        share: its size by that of the float32 file of the same part, format and batch; None where
            there is none.
    """

    check: Check
    share: float | None

    @property
    def entry(self) -> FileEntry:
        """The file."""
        return self.check.entry

    @property
    def passed(self) -> bool:
        """Whether it is in the bundle."""
        return self.check.problem is None

    @property
    def max_abs(self) -> float | None:
        """Largest error of a call, of all outputs."""
        return max((error["max_abs"] for error in self.entry.error.values()), default=None)

    @property
    def call_db(self) -> float | None:
        """PSNR of a call, of the worst output."""
        return min((error["psnr_db"] for error in self.entry.error.values()), default=None)

    @property
    def picture_db(self) -> float | None:
        """PSNR of the finished picture, where the file draws any."""
        return self.entry.picture["psnr_db"] if self.entry.picture else None

    @property
    def shares(self) -> np.ndarray:
        """Sizes of all differences, as shares of the output's range; none if it did not run."""
        measured = self.entry.picture or next(iter(self.entry.error.values()), None)
        if measured is None:
            return np.zeros(0)
        return np.abs(self.check.deviations.astype(np.float64)).ravel() / measured["peak"]

    def histogram(self) -> np.ndarray:
        """Return the share of differences in each of `BINS`; the first has the smaller ones too."""
        shares = self.shares
        if not shares.size:
            return np.zeros(len(BINS) - 1)
        logs = np.log10(np.clip(shares, 10.0 ** BINS[0], 10.0 ** BINS[-1]))
        return np.histogram(logs, BINS)[0] / shares.size

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        entry, shares = self.entry, self.shares
        quantiles = np.quantile(shares, (0.5, 0.99, 1.0)).tolist() if shares.size else [None] * 3
        return {
            "part": self.check.part, "path": entry.path, "format": entry.format,
            "precision": entry.precision, "batch": entry.batch, "bytes": entry.bytes,
            "sha256": entry.sha256, "share_of_fp32": self.share,
            "error": {name: dict(error) for name, error in entry.error.items()},
            "picture": dict(entry.picture) if entry.picture else None,
            "reading": reading(self.picture_db) if self.picture_db is not None else None,
            "deviation": dict(zip(("median", "p99", "max"), quantiles, strict=True)),
            "histogram": self.histogram().round(6).tolist(),
            "passed": self.passed, "problem": self.check.problem,
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """All that a report says.

    Attributes:
        manifest: of the bundle.
        rows: every file that was checked, refused ones too, by part.
        environment: versions of the runtimes and the machine that this was measured on.
    """

    manifest: Manifest
    rows: tuple[Row, ...]
    environment: dict[str, str]

    @classmethod
    def of(cls, manifest: Manifest, checks: Sequence[Check]) -> Self:
        """Put the checks of a bundle's files in order."""
        whole = {
            (c.part, c.entry.format, c.entry.batch): c.entry.bytes
            for c in checks
            if c.entry.precision == "fp32"
        }
        order = list(manifest.parts)
        rows = []
        for check in sorted(checks, key=lambda c: (order.index(c.part), *_place(c.entry))):
            size = whole.get((check.part, check.entry.format, check.entry.batch))
            rows.append(Row(check=check, share=size and check.entry.bytes / size))
        return cls(manifest=manifest, rows=tuple(rows), environment=_environment())

    def of_part(self, part: str) -> list[Row]:
        """List the files of a part."""
        return [row for row in self.rows if row.check.part == part]

    def verdict(self) -> str:
        """Say in one sentence how it went."""
        refused = [row.entry.path for row in self.rows if not row.passed]
        passed = [row for row in self.rows if row.passed]
        those = f"All {len(passed)} files do" if not refused else (
            f"{len(passed)} of {len(self.rows)} files do"
        )  # fmt: skip
        said = f"{those} what the model does in Keras"
        pictures = [row for row in passed if row.picture_db is not None]
        if pictures:
            worst = min(pictures, key=lambda row: row.picture_db or 0.0)
            said += f"; the finished pictures agree to {worst.picture_db:.1f} dB or better"
            said += f" (the least: {worst.entry.path})"
        if refused:
            said += f"; not in the bundle, because they do not: {', '.join(refused)}"
        return f"{said}."

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        manifest = self.manifest
        precisions = dict.fromkeys(row.entry.precision for row in self.rows)
        passed = sum(row.passed for row in self.rows)
        return {
            "schema": SCHEMA, "kind": manifest.kind, "created": manifest.created,
            "kgen": manifest.kgen, "environment": self.environment,
            "training": dict(manifest.training), "data": dict(manifest.data),
            "golden": dict(manifest.golden), "verdict": self.verdict(),
            "passed": passed, "refused": len(self.rows) - passed,
            "gates": {precision: gate(precision) for precision in precisions},
            "histogram_log10_edges": BINS.tolist(),
            "sampler": manifest.sampler.to_mapping() if manifest.sampler else None,
            "files": [row.to_mapping() for row in self.rows],
        }  # fmt: skip


def _place(entry: FileEntry) -> tuple[int, bool, int]:
    """Return where a file stands among those of its part."""
    by_format, by_precision = FORMATS.index(entry.format), PRECISIONS.index(entry.precision)
    return by_format, entry.batch is not None, by_precision


def _environment() -> dict[str, str]:
    """Name what the files were run on."""
    versions = {}
    for name in RUNTIME_PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"machine": platform.machine(), "system": platform.system(), **versions}
