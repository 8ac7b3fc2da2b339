"""The last touch on a TFLite file: the documented order, clean names, metadata."""

from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kgen import __version__

IDENTIFIER = b"TFL3"
METADATA_NAME = b"kgen"


def write(
    content: bytes, path: Path, *, name: str, inputs: list[str], outputs: list[str], metadata: str
) -> None:
    """Write a converted model with its tensors in the documented order.

    The converter sorts inputs by name, and some apps can feed by position only: so the order in
    the file is made the documented one, and tensors get the inputs' and outputs' own names.

    Args:
        content: from the converter.
        path: where.
        name: of the part, for the description.
        inputs: names in the documented order.
        outputs: names in the documented order.
        metadata: JSON, stored under ``kgen``.
    """
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    signature.inputs = _ordered(signature.inputs, inputs)
    signature.outputs = _ordered(signature.outputs, outputs)
    graph.inputs = _indices(signature.inputs)
    graph.outputs = _indices(signature.outputs)
    for entry in [*signature.inputs, *signature.outputs]:
        graph.tensors[entry.tensorIndex].name = entry.name
    model.description = f"{name}, exported by kgen {__version__}".encode()
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(metadata.encode(), np.uint8)
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = METADATA_NAME, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    builder = flatbuffers.Builder(len(content) + len(metadata) + 4096)
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    path.write_bytes(builder.Output())


def _ordered(entries: list[Any], names: list[str]) -> list[Any]:
    """Return the signature's entries in the order of `names`."""
    by_name = {entry.name.decode(): entry for entry in entries}
    if by_name.keys() != set(names):
        raise ValueError(f"The converter was asked for {names}. Received: {sorted(by_name)}.")
    return [by_name[name] for name in names]


def _indices(entries: list[Any]) -> np.ndarray:
    """Return the tensors' numbers."""
    return np.array([entry.tensorIndex for entry in entries], np.int32)
