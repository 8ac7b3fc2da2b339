"""A TFLite file written operator by operator: the tiny bundle's generator, without TensorFlow."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tflite

FLOAT32, INT32 = tflite.TensorType.FLOAT32, tflite.TensorType.INT32


def generator(weights: np.ndarray) -> bytes:
    """Write tanh(z @ weights) as pictures of 16 x 16 pixels, for one z.

    Args:
        weights: float32 (latent, 256).
    """
    latent, pixels = weights.shape
    model, graph = tflite.ModelT(), tflite.SubGraphT()
    model.version, model.buffers = 3, [tflite.BufferT()]
    graph.tensors = [
        _tensor(model, b"z", (1, latent)),
        _tensor(model, b"w", (pixels, latent), np.ascontiguousarray(weights.T, np.float32)),
        _tensor(model, b"flat", (1, pixels)),
        _tensor(model, b"drawn", (1, pixels)),
        _tensor(model, b"shape", (4,), np.array([1, 16, 16, 1], np.int32), INT32),
        _tensor(model, b"image", (1, 16, 16, 1)),
    ]
    kinds = tflite.BuiltinOperator
    steps = [
        (kinds.FULLY_CONNECTED, [0, 1, -1], 2), (kinds.TANH, [2], 3), (kinds.RESHAPE, [3, 4], 5),
    ]  # fmt: skip
    model.operatorCodes, graph.operators = [], []
    for i, (kind, inputs, output) in enumerate(steps):
        code, operator = tflite.OperatorCodeT(), tflite.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = kind
        code.version = 1
        operator.opcodeIndex = i
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array([output], np.int32)
        model.operatorCodes.append(code)
        graph.operators.append(operator)
    options = tflite.BuiltinOptions
    graph.operators[0].builtinOptionsType = options.FullyConnectedOptions
    graph.operators[0].builtinOptions = tflite.FullyConnectedOptionsT()
    graph.inputs, graph.outputs = np.array([0], np.int32), np.array([5], np.int32)
    signature = tflite.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
    signature.inputs, signature.outputs = [_named(b"z", 0)], [_named(b"image", 5)]
    model.subgraphs, model.signatureDefs = [graph], [signature]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _tensor(
    model: tflite.ModelT, name: bytes, shape: tuple[int, ...], values: np.ndarray | None = None,
    kind: int = FLOAT32,
) -> tflite.TensorT:  # fmt: skip
    """Make a tensor; one with values is a constant, and its buffer is added to the model."""
    tensor = tflite.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, np.array(shape, np.int32), kind, 0
    if values is not None:
        buffer = tflite.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        model.buffers.append(buffer)
        tensor.buffer = len(model.buffers) - 1
    return tensor


def _named(name: bytes, index: int) -> tflite.TensorMapT:
    entry = tflite.TensorMapT()
    entry.name, entry.tensorIndex = name, index
    return entry
