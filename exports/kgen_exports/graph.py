"""Read ONNX files whoever made them, and walk their graphs."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kgen.errors import KgenError
from kgen_exports.foreign import read_bytes


def onnx_package() -> Any:
    """Return the module `onnx`.

    Raises:
        KgenError: it is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise KgenError(
            f"Reading ONNX files needs onnx ({error}). Install it: pip install onnx"
        ) from error
    return onnx


def read_onnx(path: Path) -> Any:
    """Return the `ModelProto` of an ONNX file.

    Weights that the file keeps in other files stay references (:func:`external_tensors`): no other
    file is opened. Whether the graph is valid is for `onnx.checker` to say.

    Raises:
        KgenError: not ONNX, truncated, damaged or too large; onnx is not installed.
    """
    return parse_onnx(read_bytes(path, "ONNX"), path)


def parse_onnx(data: bytes, path: Path) -> Any:
    """Return the `ModelProto` of an ONNX file's bytes, as :func:`read_onnx`.

    Args:
        data: the whole file.
        path: what to call it in messages.

    Raises:
        KgenError: as for :func:`read_onnx`.
    """
    onnx = onnx_package()
    from google.protobuf.message import DecodeError

    try:
        model = onnx.ModelProto.FromString(data)
    except DecodeError as error:
        raise KgenError(f"{path} is not a whole ONNX file: {error}.") from error
    # Protobuf has no mark at the start of a file: much that is not ONNX, and any file cut between
    # two fields, can be parsed. These are what every ONNX file has.
    if model.ir_version < 1 or not model.HasField("graph") or not model.opset_import:
        raise KgenError(
            f"{path} is not a whole ONNX file: it lacks an IR version, an opset or a graph."
        )
    return model


def graphs(graph: Any) -> Iterator[Any]:
    """Yield a graph and the graphs inside its nodes (bodies of loops, branches), at any depth."""
    # Protobuf itself refuses messages nested more than a hundred deep.
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                yield from graphs(inner)


def walk_nodes(graph: Any) -> Iterator[Any]:
    """Yield the nodes of a graph and of the graphs inside them."""
    for found in graphs(graph):
        yield from found.node


def tensors(model: Any) -> Iterator[Any]:
    """Yield every tensor that a model holds: initialisers and attributes, at any depth."""
    roots = [model.graph]
    for training in model.training_info:
        roots += (training.initialization, training.algorithm)
    every = [graph for root in roots for graph in graphs(root)]
    nodes = [node for graph in every for node in graph.node]
    for function in model.functions:
        nodes += walk_nodes(function)
        every += [graph for graph in graphs(function) if graph is not function]
    for graph in every:
        yield from graph.initializer
        yield from _dense(graph.sparse_initializer)
    for node in nodes:
        for attribute in node.attribute:
            yield from attribute.tensors
            yield from _dense((attribute.sparse_tensor, *attribute.sparse_tensors))
            if attribute.HasField("t"):
                yield attribute.t


def _dense(sparse: Iterable[Any]) -> Iterator[Any]:
    """Yield the two tensors that each sparse tensor is stored as."""
    for tensor in sparse:
        yield from (tensor.values, tensor.indices)


def external_tensors(model: Any) -> list[tuple[str, str]]:
    """List the tensors whose values are in another file: their names and those files' paths."""
    external = onnx_package().TensorProto.EXTERNAL
    found = []
    for tensor in tensors(model):
        if tensor.data_location == external or tensor.external_data:
            locations = [entry.value for entry in tensor.external_data if entry.key == "location"]
            found.append((tensor.name, locations[0] if locations else ""))
    return found
