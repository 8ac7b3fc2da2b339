"""The whole sampler of a diffusion model in one ONNX file: a Loop around the denoiser."""

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from kgen_exports.manifest import TensorSpec
from kgen_exports.sampler import COLUMNS, SamplerTable
from kgen_exports.to_onnx import BATCH

Shape = tuple[int | None, ...]


def sampler(
    denoiser: ModelProto,
    inputs: tuple[TensorSpec, ...],
    table: SamplerTable,
    batch: int | str = BATCH,
) -> ModelProto:
    """Build the sampler: ``noise`` (and ``step_noise``) in, ``image`` in [-1, 1] out.

    The weights lie inside of the loop's body: only there ONNX Runtime takes them as constant and
    lays them out for its convolutions, and the file takes 60 % of the time (docs/speed.md).
    Those of int8 are made floats once, before the loop.

    Args:
        denoiser: ONNX with inputs ``xt`` and ``t`` and one output, in any precision.
        inputs: of the sampler: noise (B, H, W, C), and step_noise (B, S, H * W * C) if it adds any.
        table: the coefficients of every step.
        batch: the denoiser's.
    """
    graph = denoiser.graph
    prediction = graph.output[0].name
    picture = [batch, *inputs[0].shape[1:]]
    outside, inside = _hoisted(graph)
    read_outside = {name for node in outside for name in node.input}
    before, after = _before(batch), _after(prediction, table)
    # Carried from step to step: xt, and x0_hat where the step after it reads that.
    carried = {"xt": "kgen_x_prev"} | ({"kgen_x0_last": "kgen_x0_hat"} if table.multistep else {})
    body = helper.make_graph(
        [*before, *inside, *after],
        "step",
        [
            helper.make_tensor_value_info("kgen_i", TensorProto.INT64, []),
            helper.make_tensor_value_info("kgen_go", TensorProto.BOOL, []),
            *(helper.make_tensor_value_info(n, TensorProto.FLOAT, picture) for n in carried),
        ],
        [
            helper.make_tensor_value_info("kgen_go_on", TensorProto.BOOL, []),
            *(
                helper.make_tensor_value_info(n, TensorProto.FLOAT, picture)
                for n in carried.values()
            ),
        ],
        [tensor for tensor in graph.initializer if tensor.name not in read_outside],
    )
    # The first x0_last counts for nothing: any finite picture will do, so the noise.
    starts, ends = ["noise"] * len(carried), ["image", "kgen_x0_end"][: len(carried)]
    loop = helper.make_node(
        "Loop", ["kgen_steps", "kgen_true", *starts], ends, name="steps", body=body
    )
    top = helper.make_graph(
        [*outside, loop],
        "sampler",
        [
            helper.make_tensor_value_info(s.name, TensorProto.FLOAT, [batch, *s.shape[1:]])
            for s in inputs
        ],
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, picture)],
        [
            *(tensor for tensor in graph.initializer if tensor.name in read_outside),
            *_constants([*before, *after, loop], table, inputs[0].shape),
        ],
    )
    return helper.make_model(
        top, opset_imports=denoiser.opset_import, ir_version=denoiser.ir_version
    )


def _hoisted(graph: onnx.GraphProto) -> tuple[list[NodeProto], list[NodeProto]]:
    """Split the nodes into those that make floats of int8 weights, and the others.

    ONNX Runtime computes what depends on weights only once for all calls, but a DequantizeLinear at
    each: inside of the body that is at each step, and the file takes a seventh longer.
    """
    constant = {tensor.name for tensor in graph.initializer} | {""}
    hoisted: set[str] = set()
    outside, inside = [], []
    for node in graph.node:
        makes_floats = node.op_type == "DequantizeLinear" or hoisted.intersection(node.input)
        if makes_floats and all(name in constant for name in node.input):
            outside.append(node)
            constant.update(node.output)
            hoisted.update(node.output)
        else:
            inside.append(node)
    return outside, inside


def _before(batch: int | str) -> list[NodeProto]:
    """Make the nodes that say which timestep this is, to every picture."""
    look_up = helper.make_node("Gather", ["kgen_ts", "kgen_i"], ["kgen_t"], axis=0)
    if not isinstance(batch, str):
        # A constant shape: phones' runtimes need no arithmetic on shapes for it.
        shape = helper.make_node("Constant", [], ["kgen_batch"], value_ints=[batch])
        return [look_up, shape, helper.make_node("Expand", ["kgen_t", "kgen_batch"], ["t"])]
    return [
        look_up,
        helper.make_node("Shape", ["xt"], ["kgen_shape"]),
        helper.make_node("Gather", ["kgen_shape", "kgen_first"], ["kgen_batch"], axis=0),
        helper.make_node("Expand", ["kgen_t", "kgen_batch"], ["t"]),
    ]


def _after(prediction: str, table: SamplerTable) -> list[NodeProto]:
    """Make the nodes of one step: x0_hat, and x_prev as the sum of what this sampler adds up."""
    unused = {"coef_last": not table.multistep, "sigma": not table.stochastic}
    nodes = [
        helper.make_node("Gather", [f"kgen_{column}", "kgen_i"], [f"kgen_{column}_i"], axis=0)
        for column in COLUMNS
        if not unused.get(column)
    ]
    nodes += [
        helper.make_node("Mul", ["kgen_x0_from_xt_i", "xt"], ["kgen_a"]),
        helper.make_node("Mul", ["kgen_x0_from_prediction_i", prediction], ["kgen_b"]),
        helper.make_node("Add", ["kgen_a", "kgen_b"], ["kgen_x0"]),
        helper.make_node("Clip", ["kgen_x0", "kgen_low", "kgen_high"], ["kgen_x0_hat"]),
        helper.make_node("Mul", ["kgen_coef_x0_i", "kgen_x0_hat"], ["kgen_c"]),
        helper.make_node("Mul", ["kgen_coef_xt_i", "xt"], ["kgen_d"]),
        helper.make_node("Identity", ["kgen_go"], ["kgen_go_on"]),
    ]
    terms = ["kgen_c", "kgen_d"]
    if table.multistep:
        nodes.append(helper.make_node("Mul", ["kgen_coef_last_i", "kgen_x0_last"], ["kgen_e"]))
        terms.append("kgen_e")
    if table.stochastic:
        nodes += [
            helper.make_node("Gather", ["step_noise", "kgen_i"], ["kgen_z_flat"], axis=1),
            helper.make_node("Reshape", ["kgen_z_flat", "kgen_picture"], ["kgen_z"]),
            helper.make_node("Mul", ["kgen_sigma_i", "kgen_z"], ["kgen_f"]),
        ]
        terms.append("kgen_f")
    # Two at a time: phones' runtimes add no more.
    total = terms[0]
    for i, term in enumerate(terms[1:], start=1):
        name = "kgen_x_prev" if i == len(terms) - 1 else f"kgen_sum{i}"
        nodes.append(helper.make_node("Add", [total, term], [name]))
        total = name
    return nodes


def _constants(nodes: list[NodeProto], table: SamplerTable, shape: Shape) -> list[TensorProto]:
    """Make those of the table and of a loop's few numbers that its nodes read."""
    arrays = {
        "kgen_ts": np.array(table.timesteps, np.int32),
        "kgen_steps": np.array(table.num_steps, np.int64),
        "kgen_true": np.array(True),
        "kgen_first": np.zeros(1, np.int64),
        "kgen_low": np.array(-1, np.float32),
        "kgen_high": np.array(1, np.float32),
        "kgen_picture": np.array([-1, *shape[1:]], np.int64),
        **dict(zip((f"kgen_{c}" for c in COLUMNS), table.coefficients().T, strict=True)),
    }
    used = {name for node in nodes for name in node.input}
    return [
        numpy_helper.from_array(np.array(array, order="C"), name)
        for name, array in arrays.items()
        if name in used
    ]
