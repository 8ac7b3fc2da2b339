"""A small valid bundle whose generator takes a class: the tiny GAN, shifted by a row of a table."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from kgen.noise import normal
from kgen_exports.runtime.bundle import digest
from tests.exports import tiny_bundle

LABELS = ("circles", "squares", "stars")
FILE = "generator.fp16.onnx"


def make(folder: Path) -> Path:
    """Write the bundle with one file, for any batch."""
    tiny_bundle.make(folder)
    _with_label(folder / FILE)
    path = folder / "kgen.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["labels"] = list(LABELS)
    part = manifest["parts"]["generator"]
    part["inputs"].append(
        {"name": "label", "shape": [None], "dtype": "int32", "range": [0, len(LABELS) - 1],
         "distribution": None}
    )  # fmt: skip
    part["files"] = [entry for entry in part["files"] if entry["path"] == FILE]
    for entry in part["files"]:
        file = folder / entry["path"]
        entry.update(bytes=file.stat().st_size, sha256=digest(file))
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def table() -> np.ndarray:
    """Return what a class adds before the tanh: float32 (labels, pixels)."""
    return normal(4, (len(LABELS), tiny_bundle.PIXELS))


def _with_label(path: Path) -> None:
    """Add the class to a file: tanh(z W + table[label])."""
    model = onnx.load(path)
    graph = model.graph
    batch = graph.input[0].type.tensor_type.shape.dim[0].dim_param
    graph.input.append(helper.make_tensor_value_info("label", TensorProto.INT32, [batch]))
    graph.initializer.append(numpy_helper.from_array(table(), "table"))
    (tanh,) = (node for node in graph.node if node.op_type == "Tanh")
    place = list(graph.node).index(tanh)
    flat, tanh.input[0] = tanh.input[0], "shifted"
    graph.node.insert(place, helper.make_node("Add", [flat, "shift"], ["shifted"]))
    graph.node.insert(place, helper.make_node("Gather", ["table", "label"], ["shift"]))
    onnx.checker.check_model(model)
    onnx.save(model, path)
