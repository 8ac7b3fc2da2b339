"""Examine an ONNX file: what it holds, what the libraries say of it, which rules it breaks."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kgen_exports.graph import external_tensors, graphs, read_onnx
from kgen_exports.lint import native, onnx_graph, onnx_types, ranges, weights
from kgen_exports.lint.report import Finding, Report, Verdict, finding_if, ordered

# CoreML's older format has a verdict but no finding: since iOS 15 MLProgram takes its place.
ACCELERATORS = {"nnapi": "NNAPI", "coreml_mlprogram": "CoreML MLProgram"}


def lint_onnx(path: Path, peaks: Mapping[str, float] | None) -> Report:
    """Return what would hurt on a device, for an ONNX file.

    Raises:
        KgenError: not ONNX, truncated or damaged; onnx is not installed.
    """
    model = read_onnx(path)
    outside = external_tensors(model)
    answer = native.Answer() if outside else native.ask(path)
    facts = onnx_types.Facts(model, answer.values)
    findings = [
        *_outside(outside),
        *_libraries(answer),
        *onnx_graph.check(facts),
        *onnx_types.check(facts),
        *_weights(model),
        *_accelerators(facts, answer.verdicts),
        *(ranges.check(peaks) if peaks is not None else ()),
    ]
    return Report(
        path=path,
        format="onnx",
        size=path.stat().st_size,
        nodes=dict(Counter(_name(node) for node in facts.nodes).most_common()),
        max_rank=facts.max_rank,
        inputs=tuple(facts.inputs),
        outputs=tuple(facts.outputs),
        opset=onnx_graph.opsets(model).get("ai.onnx"),
        ir=model.ir_version,
        findings=ordered(findings),
        verdicts=answer.verdicts,
    )


def _name(node: Any) -> str:
    """Name a node's operator, with its domain where that is not the standard one."""
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}:{node.op_type}"


def _outside(found: list[tuple[str, str]]) -> Iterator[Finding]:
    """Refuse references to other files; nothing has opened them."""
    yield from finding_if(
        [f"{name} in {location!r}" for name, location in found], "error", "external-data",
        "weights are in other files, which were not opened: the file is not whole by itself, and "
        "a path can lead anywhere. Save with all weights inside; nothing else was checked with "
        "ONNX's checker and runtime",
    )  # fmt: skip


def _libraries(answer: native.Answer) -> Iterator[Finding]:
    """Pass on what ONNX's checker and runtime object to."""
    objections = (
        ("checker", answer.checker, "onnx.checker finds the file invalid"),
        ("runtime", answer.runtime, "ONNX Runtime does not load the file"),
        ("crash", answer.failure, "the checks by onnx and onnxruntime failed: their process"),
    )
    for rule, said, meaning in objections:
        if said is not None:
            colon = "" if rule == "crash" else ":"
            yield Finding(severity="error", rule=rule, message=f"{meaning}{colon} {said}")


def _weights(model: Any) -> Iterator[Finding]:
    """Find initialisers that nobody reads or that are there twice."""
    every = list(graphs(model.graph))
    read = {name for graph in every for node in graph.node for name in node.input}
    read |= {output.name for graph in every for output in graph.output}
    initialisers = [tensor for graph in every for tensor in graph.initializer]
    yield from weights.unused((t.name, t.ByteSize()) for t in initialisers if t.name not in read)
    yield from weights.duplicates((t.name, *_content(t)) for t in initialisers)


def _content(tensor: Any) -> tuple[object, bytes]:
    """Return what makes two tensors equal, whatever they are called; the bytes last."""
    if tensor.raw_data:
        return (tensor.data_type, tuple(tensor.dims)), tensor.raw_data
    unnamed = type(tensor)()
    unnamed.CopyFrom(tensor)
    unnamed.ClearField("name")
    unnamed.ClearField("doc_string")
    return (), unnamed.SerializeToString(deterministic=True)


def _accelerators(facts: onnx_types.Facts, verdicts: Mapping[str, Verdict]) -> Iterator[Finding]:
    """Say which accelerators would not take all of the file, and what they lack."""
    loops = any(node.op_type in onnx_graph.CONTROL_FLOW for node in facts.nodes)
    for name, title in ACCELERATORS.items():
        verdict = verdicts.get(name)
        if verdict is None or verdict.verdict == "YES":
            continue
        pieces = f" in {verdict.partitions} pieces" if verdict.partitions > 1 else ""
        lacks = f", without {', '.join(verdict.unsupported)}" if verdict.unsupported else ""
        pinned = f"; with the batch pinned to 1: {verdict.pinned}" if verdict.pinned else ""
        yield Finding(
            # A loop is meant for the CPU; an open batch has its own note and its own answer.
            severity="note" if loops or verdict.pinned == "YES" else "warning",
            rule=name.replace("_", "-"),
            message=f"{title} would run {verdict.supported} of {verdict.total} nodes{pieces}"
            f"{lacks}: {verdict.verdict}{pinned}",
        )
