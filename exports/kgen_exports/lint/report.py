"""What a look at a file found, for programs and for people."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]

# How many places a finding names before it only counts the rest, and how much of a name it says:
# converters join the names of all layers that they merge.
NAMED = 3
NAME_LENGTH = 80


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that hurts on a device.

    Attributes:
        severity: `error`: some runtime refuses the file or computes something else; `warning`: it
            runs, but slower, larger, or on the CPU only; `note`: worth knowing.
        rule: its short name, a heading of docs/lint.md.
        message: what was found and what to do.
        where: the operators or tensors, the first few by name; empty for the whole file.
    """

    severity: Severity
    rule: str
    message: str
    where: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorInfo:
    """An input or output of a file.

    Attributes:
        name: as the file has it.
        shape: sizes; a name or None where a size is open. None if even the rank is open.
        dtype: in NumPy's words where it has one: `float32`.
    """

    name: str
    shape: tuple[int | str | None, ...] | None
    dtype: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """How much of a file an accelerator would take, by ONNX Runtime's own checker.

    Attributes:
        verdict: `YES`, `MAYBE` or `NO`: whether to use it for the file as it is.
        partitions: the pieces it would run, with copies in between.
        supported: nodes in those pieces.
        total: nodes of the file after constant folding.
        unsupported: names of the operators that it lacks.
        pinned: the verdict for the file with its batch pinned to 1, where the batch is open.
    """

    verdict: str
    partitions: int
    supported: int
    total: int
    unsupported: tuple[str, ...]
    pinned: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Everything that :func:`kgen_exports.lint.lint` found out about a file.

    Attributes:
        path: the file.
        format: `onnx` or `tflite`.
        size: bytes.
        nodes: operator -> how often, in all subgraphs.
        max_rank: axes of the tensor with most.
        inputs: in the file's order.
        outputs: in the file's order.
        opset: of `ai.onnx`; None for TFLite.
        ir: ONNX's IR version, or the version of TFLite's schema.
        findings: the worst first.
        verdicts: ONNX only: `nnapi`, `coreml_mlprogram`, `coreml_neuralnetwork`; empty where
            ONNX Runtime is not installed or refuses the file.
    """

    path: Path
    format: Literal["onnx", "tflite"]
    size: int
    nodes: dict[str, int]
    max_rank: int
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    opset: int | None
    ir: int
    findings: tuple[Finding, ...]
    verdicts: dict[str, Verdict]

    @property
    def ok(self) -> bool:
        """Whether nothing was found that keeps the file from running as it should."""
        return all(finding.severity != "error" for finding in self.findings)

    def to_mapping(self) -> dict[str, Any]:
        """Return all of it, ready for JSON."""
        return {**asdict(self), "path": str(self.path), "ok": self.ok}


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings, the worst first, else as they came."""
    severities: tuple[Severity, ...] = ("error", "warning", "note")
    return tuple(sorted(findings, key=lambda finding: severities.index(finding.severity)))


def places(names: Sequence[str]) -> str:
    """Name the first few places of many: `a, b, c and 12 more`."""
    named = ", ".join(_short(name) for name in names[:NAMED])
    return f"{named} and {len(names) - NAMED} more" if len(names) > NAMED else named


def _short(name: str) -> str:
    """Cut a long name in its middle: what it is stands first, which one it is last."""
    half = (NAME_LENGTH - 3) // 2
    return name if len(name) <= NAME_LENGTH else f"{name[:half]}...{name[-half:]}"


def finding_if(
    names: Sequence[str], severity: Severity, rule: str, message: str
) -> Iterator[Finding]:
    """Yield one finding for all the places where something was found, none if there are none."""
    if names:
        yield Finding(severity=severity, rule=rule, message=message, where=places(names))
