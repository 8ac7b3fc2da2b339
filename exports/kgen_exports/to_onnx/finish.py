"""The last touch: metadata, a strict check, and the file."""

from pathlib import Path

import onnx
from onnx import ModelProto, helper

from kgen import __version__


def write(model: ModelProto, path: Path, *, name: str, metadata: str, licence: str) -> None:
    """Write a finished model, checked strictly, with what it is inside.

    Args:
        model: is changed.
        path: where.
        name: of the graph.
        metadata: JSON, stored under ``kgen``.
        licence: of the data that it was trained on.

    Raises:
        onnx.checker.ValidationError: the model is not valid ONNX.
    """
    used = {node.domain for node in _nodes(model.graph)}
    imports = [entry for entry in model.opset_import if entry.domain in used | {""}]
    del model.opset_import[:]
    model.opset_import.extend(imports)
    model.producer_name, model.producer_version = "kgen", __version__
    model.doc_string = f"{name}, exported by kgen {__version__}; see the metadata under 'kgen'."
    model.graph.name = name
    helper.set_model_props(model, {"kgen": metadata, "licence": licence})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """List a graph's nodes and those of its subgraphs."""
    nodes = list(graph.node)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                nodes += _nodes(attribute.g)
    return nodes
