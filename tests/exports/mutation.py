"""Wrong bundles: copies of real ones in which one thing has been changed."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from onnx import numpy_helper

from kgen_exports import proof
from kgen_exports.graph import tensors
from kgen_exports.manifest import FileEntry, Manifest
from kgen_exports.runtime import Bundle, load
from kgen_exports.runtime.bundle import digest

Change = Callable[[np.ndarray], np.ndarray]
HEAVY = ("Conv", "MatMul", "Gemm")
TYPES = {
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.FLOAT16: np.float16,
    schema.TensorType.INT8: np.int8,
}


def copy(path: Path, folder: Path) -> Bundle:
    """Copy a bundle, to be changed."""
    return load(shutil.copytree(path, folder / path.name))


def signed(bundle: Bundle, entry: FileEntry) -> FileEntry:
    """Return the entry with the size and hash that its file has now, as an export writes it."""
    path = bundle.path / entry.path
    return replace(entry, bytes=path.stat().st_size, sha256=digest(path))


def sign(folder: Path) -> None:
    """Write the sizes and hashes of a bundle's files, as they are now, into its manifest."""
    manifest = Manifest.read(folder)
    bundle = Bundle(folder, manifest)
    parts = {
        name: replace(part, files=tuple(signed(bundle, entry) for entry in part.files))
        for name, part in manifest.parts.items()
    }
    replace(manifest, parts=parts).write(folder)


def check(bundle: Bundle, part: str, entry: FileEntry, golden=None) -> str | None:
    """Run the proof on a file that may have been changed, and return what it says."""
    return proof.check(bundle, part, signed(bundle, entry), golden or bundle.golden()).problem


def entry_of(bundle: Bundle, part: str, form: str, precision: str = "fp32") -> FileEntry:
    """Find a file."""
    runtime = {"onnx": "onnxruntime", "tflite": "litert"}[form]
    return bundle.entry(part, precision, runtime)


def edit(path: Path, change: Callable[[Any], object]) -> None:
    """Change a file through its objects: an ONNX ModelProto, or a TFLite ModelT."""
    content = path.read_bytes()
    if path.suffix == ".onnx":
        model = onnx.ModelProto.FromString(content)
        change(model)
        path.write_bytes(model.SerializeToString())
        return
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    change(model)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(bytes(builder.Output()))


def edit_kernel(path: Path, layer: str, change: Change) -> None:
    """Change the stored kernel of a convolution or a dense layer, in whatever precision it is."""

    def apply(model: Any) -> None:
        if path.suffix == ".onnx":
            edit_initializer(model, _onnx_kernel(model.graph, layer), change)
        else:
            edit_tensor(model, _tflite_kernel(model, layer), change)

    edit(path, apply)


def edit_initializer(model: onnx.ModelProto, name: str, change: Change) -> None:
    """Change a stored array of an ONNX model, of its main graph or of one inside of it."""
    (tensor,) = (t for t in tensors(model) if t.name == name)
    before = numpy_helper.to_array(tensor)
    tensor.CopyFrom(numpy_helper.from_array(_changed(before, change), name))


def edit_tensor(model: Any, tensor: Any, change: Change) -> None:
    """Change a stored array of a TFLite model."""
    buffer = model.buffers[tensor.buffer]
    before = np.asarray(buffer.data, np.uint8).view(TYPES[tensor.type]).reshape(tensor.shape)
    buffer.data = _changed(before, change).reshape(-1).view(np.uint8)


def _changed(before: np.ndarray, change: Change) -> np.ndarray:
    after = np.ascontiguousarray(change(before.copy()), before.dtype)
    assert after.shape == before.shape
    assert not np.array_equal(after, before)
    return after


def _onnx_kernel(graph: onnx.GraphProto, layer: str) -> str:
    """Name the initialiser that a layer's product reads, perhaps by way of a conversion."""
    bodies = [a.g for node in graph.node for a in node.attribute if a.HasField("g")]
    nodes = [node for g in (graph, *bodies) for node in g.node]
    makers = {name: node for node in nodes for name in node.output}
    # By the kernel's name: the output has another where the layer was fused with what follows.
    (name,) = (n.input[1] for n in nodes if n.op_type in HEAVY and layer in n.input[1].split("/"))
    return makers[name].input[0] if name in makers else name


def _tflite_kernel(model: Any, layer: str) -> Any:
    """Find the tensor that a layer's product reads, perhaps by way of a conversion."""
    codes = schema.BuiltinOperator
    for graph in model.subgraphs:
        makers = {i: operator for operator in graph.operators for i in operator.outputs}
        for operator in graph.operators:
            words = graph.tensors[operator.outputs[0]].name.decode().replace(";", "/").split("/")
            code = model.operatorCodes[operator.opcodeIndex].builtinCode
            if code in (codes.CONV_2D, codes.FULLY_CONNECTED) and {layer, f"{layer}_1"} & {*words}:
                index = operator.inputs[1]
                return graph.tensors[makers[index].inputs[0] if index in makers else index]
    raise LookupError(layer)
