"""Networks for browsers without WebAssembly: a plan in JSON and weights in float16.

What runs them is exports/web/engine/plain.js; what a plan is, `kgen_exports.app.plan` says.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from kgen.errors import KgenError
from kgen.files import replacing
from kgen_exports import graph
from kgen_exports.app.plan import SCHEMA, Plan, Translator
from kgen_exports.runtime.bundle import digest

SMALL = 256
"""Weights with fewer numbers stay float32: they cost little and matter (biases, norms)."""
PRECISION = "fp16"
"""What its weights are stored in, in the words of a manifest."""
LARGEST = float(np.finfo(np.float16).max)


def write(source: Path, folder: Path, part: str) -> dict[str, Any]:
    """Write what the JavaScript engine needs of a part.

    Args:
        source: the part's ONNX file, float32 or with float16 weights.
        folder: where; ``PART.plain.json`` and ``PART.plain.bin`` are written.
        part: its name.

    Returns:
        The entry of app.json: ``plan`` and ``weights``, names of files, and ``sha256`` by file.

    Raises:
        KgenError: the file cannot be read, or has an operation that the engine lacks.
    """
    plan = plan_of(source)
    layout, data = packed(plan)
    content = {
        "schema": SCHEMA, "inputs": plan.inputs, "outputs": plan.outputs, "sizes": plan.sizes,
        "weights": layout, "steps": plan.steps,
    }  # fmt: skip
    names = {"plan": f"{part}.plain.json", "weights": f"{part}.plain.bin"}
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    for name, written in ((names["plan"], text.encode()), (names["weights"], data)):
        with replacing(folder / name) as path:
            path.write_bytes(written)
    return {**names, "sha256": {name: digest(folder / name) for name in names.values()}}


def plan_of(source: Path) -> Plan:
    """Translate an ONNX file for one picture.

    Raises:
        KgenError: the file cannot be read, or has an operation that the engine lacks.
    """
    model = _for_one_picture(graph.read_onnx(source), source)
    return Translator(model.graph, source.name).translate(model.graph)


def packed(plan: Plan) -> tuple[list[list[Any]], bytes]:
    """Lay the weights out: all float32 ones, then all float16 ones.

    Returns:
        For each weight its type, ``f4`` or ``f2``, its first byte and its length; and the bytes.
    """
    half = [w.size >= SMALL and bool(np.abs(w).max() <= LARGEST) for w in plan.weights]
    layout: list[list[Any]] = [[] for _ in plan.weights]
    data = bytearray()
    for is_half, kind in ((False, "f4"), (True, "f2")):
        for index, values in enumerate(plan.weights):
            if half[index] == is_half:
                layout[index] = [kind, len(data), values.size]
                data += values.astype(f"<{kind}").tobytes()
    return layout, bytes(data)


def _for_one_picture(model: Any, source: Path) -> Any:
    """Fix the batch at 1, fold what becomes constant by it, and note every shape.

    ONNX Runtime's basic optimisation stays within standard operators.
    """
    import onnx
    import onnxruntime as ort

    for value in (*model.graph.input, *model.graph.output):
        model_dims = value.type.tensor_type.shape.dim
        if model_dims and not model_dims[0].dim_value:
            model_dims[0].dim_value = 1
    # Shapes inside were inferred for another batch.
    del model.graph.value_info[:]
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "folded.onnx")
        try:
            ort.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            folded = onnx.load(options.optimized_model_filepath)
            return onnx.shape_inference.infer_shapes(folded, data_prop=True)
        # ONNX Runtime raises classes of its own for what it cannot read.
        except Exception as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise KgenError(f"{source} cannot be opened: {first}") from error
