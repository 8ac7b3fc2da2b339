"""A model for one fixed batch: what phones' accelerators want, and smaller graphs."""

from pathlib import Path

import onnx
import onnxruntime as ort
from onnx import ModelProto

from kgen_exports.manifest import TensorSpec
from kgen_exports.to_onnx.convert import declare


def pinned(
    model: ModelProto,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    batch: int,
    folder: Path,
) -> ModelProto:
    """Fix the batch of a float32 model and fold what becomes constant by it.

    Converting for a fixed batch to begin with is not the same: tf2onnx 1.17 then fuses the time
    embedding's addition as a second bias into a convolution, which no runtime accepts. So the
    batch is set in the model for any batch, and ONNX Runtime's basic optimisation, which stays
    within standard operators, folds the arithmetic on shapes away.

    Args:
        model: for any batch; it is not changed.
        inputs: of the part.
        outputs: of the part.
        batch: pictures in a call.
        folder: for the optimised model, which ONNX Runtime hands over as a file only.
    """
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    declare(fixed, inputs, outputs, batch)
    path = folder / "pinned.onnx"
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(path)
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    options.add_session_config_entry("session.disable_prepacking", "1")
    ort.InferenceSession(fixed.SerializeToString(), options, providers=["CPUExecutionProvider"])
    folded = onnx.load(path)
    path.unlink()
    declare(folded, inputs, outputs, batch)
    return folded
