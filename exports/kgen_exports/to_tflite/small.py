"""Small constants of a float16 file in float32 again: they cost little, and some carry much."""

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kgen_exports.to_tflite.finish import IDENTIFIER

SMALL = 256
"""Constants of at most so many numbers are restored, as ONNX files keep theirs."""


def restore(fp16: bytes, fp32: bytes) -> bytes:
    """Put small constants of a float16 file back to float32.

    The converter halves every constant, the frequencies of a time embedding too: rounded to
    float16, the largest is off by half a radian at the last timestep.

    Args:
        fp16: a file with weights in float16, each followed by a DEQUANTIZE.
        fp32: the same model with weights in float32.

    Returns:
        The file with float32 constants in place of the small ones and their DEQUANTIZE.
    """
    small, whole = (_read(content) for content in (fp16, fp32))
    exact = _constants(whole)
    for graph in small.subgraphs:
        graph.operators = [
            operator
            for operator in graph.operators
            if not _is_dequantize(small, operator) or not _restored(small, graph, operator, exact)
        ]
    builder = flatbuffers.Builder(len(fp16) + 2**16)
    builder.Finish(small.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _read(content: bytes) -> Any:
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))


def _constants(model: Any) -> list[np.ndarray]:
    """List the small float32 constants of a model."""
    found = []
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            data = model.buffers[tensor.buffer].data
            if tensor.type == schema.TensorType.FLOAT32 and data is not None:
                values = np.asarray(data, np.uint8).view(np.float32)
                if 0 < values.size <= SMALL:
                    found.append(values)
    return found


def _is_dequantize(model: Any, operator: Any) -> bool:
    code = model.operatorCodes[operator.opcodeIndex]
    return max(code.builtinCode, code.deprecatedBuiltinCode) == schema.BuiltinOperator.DEQUANTIZE


def _restored(model: Any, graph: Any, operator: Any, exact: list[np.ndarray]) -> bool:
    """Make the output of a DEQUANTIZE the constant itself, if it is small and its origin is known.

    The origin is the float32 constant that rounds to the same float16 numbers.
    """
    source, target = (graph.tensors[t[0]] for t in (operator.inputs, operator.outputs))
    data = model.buffers[source.buffer].data
    if source.type != schema.TensorType.FLOAT16 or data is None:
        return False
    half = np.asarray(data, np.uint8).view(np.float16)
    for values in exact:
        if values.size == half.size and (values.astype(np.float16) == half).all():
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            model.buffers.append(buffer)
            target.buffer = len(model.buffers) - 1
            return True
    return False
