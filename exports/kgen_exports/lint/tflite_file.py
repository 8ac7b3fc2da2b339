"""Examine a TFLite file: what it holds, and which rules it breaks."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kgen_exports.flatbuffer import read_tflite, text
from kgen_exports.lint import ranges, tflite_operators, tflite_tensors, weights
from kgen_exports.lint.report import Finding, Report, finding_if, ordered
from kgen_exports.lint.tflite_graph import Contents, buffer_bytes, info


def lint_tflite(path: Path, peaks: Mapping[str, float] | None) -> Report:
    """Return what would hurt on a device, for a TFLite file.

    Raises:
        KgenError: not TFLite, truncated or damaged; ai-edge-litert is not installed.
    """
    model = read_tflite(path)
    contents = Contents(model)
    findings = [
        *_outside(model),
        *tflite_operators.check(contents),
        *tflite_tensors.check(contents),
        *_signatures(model),
        *_weights(contents),
        *(ranges.check(peaks) if peaks is not None else ()),
    ]
    return Report(
        path=path,
        format="tflite",
        size=path.stat().st_size,
        nodes=dict(Counter(operator.name for operator in contents.operators).most_common()),
        max_rank=contents.max_rank,
        inputs=tuple(info(tensor) for tensor in contents.inputs),
        outputs=tuple(info(tensor) for tensor in contents.outputs),
        opset=None,
        ir=model.version,
        findings=ordered(findings),
        verdicts={},
    )


def _outside(model: Any) -> Iterator[Finding]:
    """Refuse references to other files; nothing has opened them."""
    yield from finding_if(
        [text(group.name) for group in model.externalBufferGroups or ()], "error", "external-data",
        "weights are in other files, which were not opened: the file is not whole by itself, and "
        "a path can lead anywhere. Save with all weights inside",
    )  # fmt: skip


def _signatures(model: Any) -> Iterator[Finding]:
    """Say so if inputs have no names of their own."""
    if not model.signatureDefs:
        yield Finding(
            severity="note",
            rule="no-signature",
            message="there is no signature: inputs can be told apart by their position only, and "
            "converters sort them by the alphabet. Export with named inputs",
        )


def _weights(contents: Contents) -> Iterator[Finding]:
    """Find buffers that nobody reads or that are there twice."""
    owners = {tensor.buffer: tensor.name for tensor in contents.tensors}
    owners |= {entry.buffer: text(entry.name) for entry in contents.model.metadata or ()}
    buffers = [
        (number, buffer_bytes(buffer)) for number, buffer in enumerate(contents.model.buffers or ())
    ]
    yield from weights.unused(
        (f"buffer {number}", len(data)) for number, data in buffers if data and number not in owners
    )
    # Their types need not be compared: as bytes they could be one buffer whatever reads them.
    yield from weights.duplicates(
        (owners[number], None, data) for number, data in buffers if number in owners
    )
