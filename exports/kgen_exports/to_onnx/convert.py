"""From a Keras model to an ONNX file that takes any batch."""

from pathlib import Path

import keras
import numpy as np
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper

from kgen_exports.manifest import TensorSpec
from kgen_exports.parts import Part
from kgen_exports.to_onnx import BATCH


def convert(part: Part, path: Path, opset: int) -> ModelProto:
    """Convert a part in float32, for any batch, and tidy the graph.

    Args:
        part: what to convert.
        path: where the converter writes; the tidied model is not written.
        opset: of `kgen_exports.job.OPSETS`.

    Returns:
        The model: named inputs and outputs in the part's order, the batch as ``batch``, no
        operation that phones' accelerators lack for a want of another way to write it.
    """
    signature = [
        keras.InputSpec(shape=spec.shape, dtype=spec.dtype, name=spec.name) for spec in part.inputs
    ]
    network = part.model()
    network.export(
        str(path),
        format="onnx",
        verbose=False,
        input_signature=[signature] if len(signature) > 1 else signature,
        opset_version=opset,
    )
    model = onnx.load(path)
    shorten_names(model, network)
    space_to_depth_as_convolution(model)
    flatten_output(model, part.outputs)
    declare(model, part.inputs, part.outputs)
    return model


def flatten_output(model: ModelProto, outputs: tuple[TensorSpec, ...]) -> None:
    """Write an output by one Reshape where the converter takes a detour through rank 5.

    For pictures of one channel it reshapes to (1, B, H, W, 1) and squeezes the first axis.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    for spec in outputs:
        squeeze = makers[spec.name]
        reshape = makers.get(squeeze.input[0])
        if squeeze.op_type != "Squeeze" or reshape is None or reshape.op_type != "Reshape":
            continue
        shape = np.array([-1, *[n or 0 for n in spec.shape[1:]]], np.int64)
        model.graph.initializer.append(numpy_helper.from_array(shape, f"{spec.name}__shape"))
        reshape.input[1] = f"{spec.name}__shape"
        reshape.output[0] = spec.name
        model.graph.node.remove(squeeze)


def declare(
    model: ModelProto,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    batch: int | str = BATCH,
) -> None:
    """Rewrite the declared inputs and outputs: in order, with every size known but the batch's.

    The converter leaves outputs without shapes and gives each batch a name of its own.
    """
    types = {"float32": onnx.TensorProto.FLOAT, "int32": onnx.TensorProto.INT32}
    for declared, specs in ((model.graph.input, inputs), (model.graph.output, outputs)):
        names = {value.name for value in declared}
        if names != {spec.name for spec in specs}:
            raise ValueError(
                f"The converter was asked for {[s.name for s in specs]}. Received: {names}."
            )
        del declared[:]
        declared.extend(
            helper.make_tensor_value_info(spec.name, types[spec.dtype], [batch, *spec.shape[1:]])
            for spec in specs
        )
    # Shapes inside were inferred for another batch; runtimes infer their own.
    del model.graph.value_info[:]


def shorten_names(model: ModelProto, network: keras.Model) -> None:
    """Name nodes and tensors after the network's layers: ``stem/BiasAdd``.

    The converter writes every name as a path through all models, with a number behind each:
    ``denoiser_1/ema_denoiser_1/stem_1/BiasAdd:0``; a tenth of a small file is such names.
    """
    models, layers = {network.name}, set()
    for layer in network._flatten_layers(include_self=False):
        (models if isinstance(layer, keras.Model) else layers).add(layer.name)
    keep = {value.name for value in [*model.graph.input, *model.graph.output]}
    taken: set[str] = set(keep)
    new: dict[str, str] = {}

    def short(name: str) -> str:
        if name in keep or not name:
            return name
        if name not in new:
            new[name] = _free(_short(name, models, layers), taken)
        return new[name]

    for tensor in model.graph.initializer:
        tensor.name = short(tensor.name)
    for node in model.graph.node:
        node.input[:] = [short(name) for name in node.input]
        node.output[:] = [short(name) for name in node.output]
    used: set[str] = set()
    for node in model.graph.node:
        node.name = _free(_short(node.name, models, layers), used)


def _short(name: str, models: set[str], layers: set[str]) -> str:
    """Take models, numbers behind layers, and the output's number out of a path."""
    words = []
    for word in name.removesuffix(":0").split("/"):
        stem, _, number = word.rpartition("_")
        base = stem if number.isdigit() else word
        if base in models or word in models:
            continue
        words.append(base if base in layers else word)
    return "/".join(words) or name


def _free(name: str, taken: set[str]) -> str:
    """Return the name, or one like it that is not taken, and take it."""
    free, copy = name, 2
    while free in taken:
        free, copy = f"{name}__{copy}", copy + 1
    taken.add(free)
    return free


def space_to_depth_as_convolution(model: ModelProto) -> None:
    """Replace SpaceToDepth, which NNAPI and CoreML lack, by a convolution that moves pixels.

    A kernel of zeros and ones with the block's size and stride copies each pixel to its channel:
    the numbers that come out are the same, bit for bit.
    """
    channels = _channels(model)
    for index, node in enumerate(list(model.graph.node)):
        if node.op_type != "SpaceToDepth":
            continue
        block = helper.get_node_attr_value(node, "blocksize")
        kernel_name = f"{node.output[0]}__kernel"
        model.graph.initializer.append(
            numpy_helper.from_array(_mover(channels[node.input[0]], block), kernel_name)
        )
        model.graph.node.remove(node)
        model.graph.node.insert(index, _convolution(node, kernel_name, block))


def _convolution(node: NodeProto, kernel: str, block: int) -> NodeProto:
    """Make the convolution that stands for a SpaceToDepth node."""
    return helper.make_node(
        "Conv",
        [node.input[0], kernel],
        list(node.output),
        name=node.name,
        kernel_shape=[block, block],
        strides=[block, block],
    )


def _mover(channels: int, block: int) -> np.ndarray:
    """Make the kernel, float32 (block^2 * channels, channels, block, block).

    ONNX numbers the output channels ``(row * block + column) * channels + channel``.
    """
    kernel = np.zeros((block, block, channels, channels, block, block), np.float32)
    for row in range(block):
        for column in range(block):
            kernel[row, column, :, :, row, column] = np.eye(channels)
    return kernel.reshape(block * block * channels, channels, block, block)


def _channels(model: ModelProto) -> dict[str, int]:
    """Find the number of channels (axis 1) of every tensor whose shape can be inferred."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    values = [*inferred.value_info, *inferred.input, *inferred.output]
    return {
        value.name: value.type.tensor_type.shape.dim[1].dim_value
        for value in values
        if len(value.type.tensor_type.shape.dim) == 4
    }
