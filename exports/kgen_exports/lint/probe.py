"""What the libraries for ONNX say of a file, as JSON on stdout; a program of its own.

`onnx.checker`, shape inference and ONNX Runtime are C++ that was written for files one trusts. In
a process of its own, a crash or an endless loop ends that process only, and its memory is limited.
The file must not refer to others: :mod:`kgen_exports.lint.onnx_file` looks first.

Usage: `python -P probe.py FILE MEMORY_IN_BYTES`. The result:
`checker`: what `onnx.checker` objects to, or None; `values`: name -> [type, sizes], sizes None if
unknown; `runtime`: why ONNX Runtime refuses the file, or None; `verdicts`: accelerator -> facts.
"""

import contextlib
import importlib.util
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Folding constants runs nodes, and one of twenty bytes can ask for a terabyte.
_FOLDING_LIMIT = 64 * 2**20


def main(path: Path, memory: int) -> None:
    """Examine a file and print what was found."""
    _limit_memory(memory)
    import onnx

    model = onnx.ModelProto.FromString(path.read_bytes())
    found: dict[str, Any] = {"checker": _objection(model), "values": {}, "verdicts": {}}
    with contextlib.suppress(Exception):  # the checker's objection says it better
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
        found["values"] = dict(_values(inferred.graph))
    found["runtime"] = None
    if importlib.util.find_spec("onnxruntime") is not None:
        try:
            found["verdicts"] = _verdicts(model)
        except Exception as error:
            found["runtime"] = _first_line(error)
    sys.stdout.write(json.dumps(found))


def _limit_memory(count: int) -> None:
    """Let this process have so many bytes, where the system can limit that."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (count, count))


def _objection(model: Any) -> str | None:
    """Return what ONNX's checker has against a model."""
    import onnx

    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        return _first_line(error)
    return None


def _values(graph: Any) -> Iterator[tuple[str, tuple[int, list[int | str | None] | None]]]:
    """Yield the type and sizes of every value of a graph and of those in its nodes."""
    for value in (*graph.input, *graph.output, *graph.value_info):
        tensor = value.type.tensor_type
        sizes = None
        if tensor.HasField("shape"):
            sizes = [
                d.dim_value if d.HasField("dim_value") else d.dim_param or None
                for d in tensor.shape.dim
            ]
        yield value.name, (tensor.elem_type, sizes)
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                yield from _values(inner)


def _verdicts(model: Any) -> dict[str, dict[str, Any]]:
    """Ask for the verdicts on a model, and if its batch is open, also with the batch 1."""
    found = _ask(_folded(model))
    pinned = _pinned(model)
    if pinned is not None:
        # Not every model can be pinned: one with `batch * 2` in a shape, for example.
        with contextlib.suppress(Exception):
            for name, facts in _ask(_folded(pinned)).items():
                found[name]["pinned"] = facts["verdict"]
    return found


def _folded(model: Any) -> Any:
    """Return the model as ONNX Runtime simplifies it, with all shapes it can infer."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.add_session_config_entry(
        "optimization.constant_folding_max_output_size_in_bytes", str(_FOLDING_LIMIT)
    )
    with tempfile.TemporaryDirectory(prefix="kgen-lint-") as folder:
        file = Path(folder) / "folded.onnx"
        options.optimized_model_filepath = str(file)
        onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        folded = onnx.ModelProto.FromString(file.read_bytes())
    return onnx.shape_inference.infer_shapes(folded, strict_mode=True)


def _ask(model: Any) -> dict[str, dict[str, Any]]:
    """Return what ONNX Runtime's mobile usability checker says of a simplified model."""
    # The package imports PyTorch, where that is installed, for another of its tools.
    sys.modules.setdefault("torch", None)  # type: ignore[arg-type]
    from onnxruntime.tools.mobile_helpers import usability_checker as checker

    answers = {"nnapi": checker.check_nnapi_partitions(model, True)}
    for kind in ("mlprogram", "neuralnetwork"):
        answers[f"coreml_{kind}"] = checker.check_coreml_partitions(
            model, True, f"coreml_supported_{kind}_ops.md"
        )
    return {
        name: {
            "verdict": answer.suitability().name if answer.num_nodes else "NO",
            "partitions": answer.num_partitions,
            "supported": answer.num_supported_nodes,
            "total": answer.num_nodes,
            "unsupported": sorted(op.removeprefix("ai.onnx:") for op in answer.unsupported_ops),
        }
        for name, answer in answers.items()
    }


def _pinned(model: Any) -> Any | None:
    """Return a model with an open batch set to 1; None if no input, or more of one, is open."""
    import onnx

    pinned = onnx.ModelProto()
    pinned.CopyFrom(model)
    open_axes = set()
    for value in pinned.graph.input:
        for axis, size in enumerate(value.type.tensor_type.shape.dim):
            if size.dim_value < 1:
                open_axes.add(axis)
                size.Clear()
                size.dim_value = 1
    # What was written down for the other values holds for the open batch.
    del pinned.graph.value_info[:]
    for value in pinned.graph.output:
        value.type.tensor_type.ClearField("shape")
    return pinned if open_axes == {0} else None


def _first_line(error: Exception) -> str:
    """Return the first line of a message that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
