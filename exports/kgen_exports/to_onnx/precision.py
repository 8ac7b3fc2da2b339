"""Smaller ONNX files: weights in half or a quarter of the bytes, arithmetic in float32.

What was measured of each kind, and why there are no others: docs/export.md.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

Feed = dict[str, np.ndarray]

SMALL = 256
"""Tensors with fewer numbers stay as they are: they cost little and matter (biases)."""
WEIGHT_AXES = {"Conv": 0, "ConvTranspose": 1, "MatMul": -1, "Gemm": -1}
"""Output channel's axis of the weight, by operation; each channel has a scale of its own."""


def fp16(model: ModelProto) -> ModelProto:
    """Store weights in float16 and cast them back when the model is loaded.

    Arithmetic stays float32: closer to the model than a converted graph, and safe where float16
    overflows (norms, time embeddings).
    """
    small = _copy(model)
    casts = []
    for tensor in list(small.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < SMALL:
            continue
        stored = f"{tensor.name}__fp16"
        small.graph.initializer.remove(tensor)
        small.graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(
            helper.make_node(
                "Cast", [stored], [tensor.name], name=f"{stored}__cast", to=TensorProto.FLOAT
            )
        )
    return _with_first(small, casts)


def int8(model: ModelProto) -> ModelProto:
    """Store the weights of convolutions and products in int8, one scale per output channel.

    Symmetric, rounded to nearest: ``weight = scale * q``, q in [-127, 127]. Arithmetic stays
    float32.
    """
    small = _copy(model)
    weights = {tensor.name: tensor for tensor in small.graph.initializer}
    done: set[str] = set()
    nodes = []
    for node in small.graph.node:
        name = node.input[1] if node.op_type in WEIGHT_AXES and len(node.input) > 1 else ""
        if name not in weights or name in done:
            continue
        values = numpy_helper.to_array(weights[name])
        if values.size < SMALL:
            continue
        done.add(name)
        axis = _channel_axis(node, values.ndim)
        quantized, scale = _quantized(values, axis)
        small.graph.initializer.remove(weights[name])
        stored = {"int8": quantized, "scale": scale, "zero": np.zeros(len(scale), np.int8)}
        small.graph.initializer.extend(
            numpy_helper.from_array(array, f"{name}__{kind}") for kind, array in stored.items()
        )
        inputs = [f"{name}__{kind}" for kind in stored]
        nodes.append(
            helper.make_node(
                "DequantizeLinear", inputs, [name], name=f"{name}__dequantize", axis=axis
            )
        )
    return _with_first(small, nodes)


def _channel_axis(node: NodeProto, rank: int) -> int:
    """Return the axis of a weight that counts the output channels."""
    if node.op_type == "Gemm" and any(a.name == "transB" and a.i for a in node.attribute):
        return 0
    return WEIGHT_AXES[node.op_type] % rank


def _quantized(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return int8 values and the float32 scale of each slice along `axis`."""
    others = tuple(i for i in range(values.ndim) if i != axis)
    scale = np.maximum(np.abs(values).max(axis=others), 1e-12).astype(np.float32) / 127
    shape = [1] * values.ndim
    shape[axis] = -1
    return np.round(values / scale.reshape(shape)).astype(np.int8), scale


def int8_static(model: ModelProto, feeds: Iterable[Feed], folder: Path) -> ModelProto:
    """Compute convolutions and products in int8, with ranges seen on example inputs.

    Inputs and outputs stay float32. For networks without a timestep only: one range cannot hold
    what a denoiser sees between little noise and much.

    Args:
        model: for a fixed batch.
        feeds: example inputs of that batch.
        folder: for the files that the quantizer works on.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        """Hands the example inputs over one by one."""

        def __init__(self) -> None:
            self.feeds = iter(feeds)

        def get_next(self) -> Feed | None:  # type: ignore[override]
            return next(self.feeds, None)

    source, prepared, target = (folder / f"static-{i}.onnx" for i in range(3))
    onnx.save(model, source)
    quant_pre_process(source, prepared, skip_symbolic_shape=True)
    quantize_static(
        prepared,
        target,
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["Conv", "ConvTranspose", "MatMul", "Gemm"],
    )
    quantized = onnx.load(target)
    for path in (source, prepared, target):
        path.unlink()
    return quantized


def _copy(model: ModelProto) -> ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def _with_first(model: ModelProto, nodes: list[NodeProto]) -> ModelProto:
    """Put nodes before all others: what they make, the others read."""
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])
    return model
