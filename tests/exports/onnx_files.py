"""ONNX models built by hand: sound ones, and ones with a single thing wrong."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

F, I64 = TensorProto.FLOAT, TensorProto.INT64


def weights(name, *shape, seed=0, dtype=np.float32):
    return numpy_helper.from_array(
        np.random.default_rng(seed).normal(size=shape).astype(dtype), name
    )


def value(name, shape, kind=F):
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes, inputs, outputs, initializers=(), opset=17, ir=8, domains=()):
    made = helper.make_model(
        helper.make_graph(nodes, "g", inputs, outputs, list(initializers)),
        opset_imports=[
            helper.make_opsetid("", opset),
            *(helper.make_opsetid(d, 1) for d in domains),
        ],
    )
    made.ir_version = ir
    return made


def one(op, shape=(1, 4), out=None, kind=F, extra=(), initializers=(), **attributes):
    """A model of one node from `x` to `y`."""
    domain = attributes.get("domain", "")
    node = helper.make_node(op, ["x", *extra], ["y"], name="n", **attributes)
    return model(
        [node], [value("x", shape, kind)], [value("y", out or shape, kind)], initializers,
        domains=[domain] if domain else [],
    )  # fmt: skip


def convolution(batch=1, side=8):
    """Two convolutions with a leaky ReLU between, as a generator has them."""
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("LeakyRelu", ["a"], ["b"], alpha=0.2),
        helper.make_node("Conv", ["b", "w2"], ["y"], pads=[1, 1, 1, 1]),
    ]
    ends = [value("x", (batch, 2, side, side))], [value("y", (batch, 1, side, side))]
    return model(nodes, *ends, [weights("w1", 8, 2, 3, 3), weights("w2", 1, 8, 3, 3, seed=1)])


def loop():
    """`y = x * 2 ** 3` by an ONNX Loop."""
    body = helper.make_graph(
        [
            helper.make_node("Add", ["v", "v"], ["v2"]),
            helper.make_node("Identity", ["go"], ["go2"]),
        ],
        "body",
        [value("i", (), I64), value("go", (), TensorProto.BOOL), value("v", (1, 4))],
        [value("go2", (), TensorProto.BOOL), value("v2", (1, 4))],
    )
    trips = numpy_helper.from_array(np.int64(3), "trips")
    go = numpy_helper.from_array(np.bool_(True), "start")
    node = helper.make_node("Loop", ["trips", "start", "x"], ["y"], body=body, name="n")
    return model([node], [value("x", (1, 4))], [value("y", (1, 4))], [trips, go])


def shape_chain():
    """A flattening that computes its shape in int64 from an open batch, as converters write it."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["b"]),
        helper.make_node("Concat", ["b", "rest"], ["t"], axis=0),
        helper.make_node("Reshape", ["x", "t"], ["y"]),
    ]
    held = [numpy_helper.from_array(np.array([n]), k) for n, k in ((0, "zero"), (4, "rest"))]
    return model(nodes, [value("x", ("n", 2, 2))], [value("y", ("n", 4))], held)


def index_chain():
    """A lookup whose index is computed in int64."""
    nodes = [
        helper.make_node("Cast", ["x"], ["i"], to=I64, name="to_index"),
        helper.make_node("Gather", ["table", "i"], ["y"]),
    ]
    return model(nodes, [value("x", (1,))], [value("y", (1, 4))], [weights("table", 9, 4)])


def unused():
    made = convolution()
    made.graph.initializer.append(weights("forgotten", 400))
    return made


def duplicated():
    made = convolution()
    made.graph.node.insert(2, helper.make_node("Conv", ["b", "w3"], ["c"], pads=[1] * 4))
    made.graph.node[3].input[0] = "c"
    made.graph.initializer.extend([weights("w3", 8, 8, 3, 3), weights("w4", 8, 8, 3, 3)])
    made.graph.node.insert(3, helper.make_node("Conv", ["c", "w4"], ["d"], pads=[1] * 4))
    made.graph.node[4].input[0] = "d"
    return made


def external():
    made = convolution()
    onnx.external_data_helper.set_external_data(made.graph.initializer[0], "/etc/hostname")
    made.graph.initializer[0].ClearField("raw_data")
    return made


def half():
    """A matrix product in float16, and one whose float16 weights are cast to float32 first."""
    nodes = [
        helper.make_node("Cast", ["w16"], ["w"], to=F),
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Cast", ["a"], ["a16"], to=TensorProto.FLOAT16),
        helper.make_node("MatMul", ["a16", "w16"], ["b16"], name="half_product"),
        helper.make_node("Cast", ["b16"], ["y"], to=F),
    ]
    held = [weights("w16", 4, 4, dtype=np.float16)]
    return model(nodes, [value("x", (1, 4))], [value("y", (1, 4))], held)


def invalid():
    """A convolution with a second bias, which one converter writes for static U-Nets."""
    made = convolution()
    made.graph.node[0].input.extend(["w2", "w2"])
    return made


def by_values():
    """Sizes that depend on values although the input's are fixed."""
    nodes = [
        helper.make_node("NonZero", ["x"], ["i"]),
        helper.make_node("Cast", ["i"], ["y"], to=F),
    ]
    return model(nodes, [value("x", (1, 4))], [value("y", (2, None))])


def dropout(training):
    held = [
        numpy_helper.from_array(np.float32(0.5), "ratio"),
        numpy_helper.from_array(np.bool_(training), "training"),
    ]
    return one("Dropout", extra=("ratio", "training"), initializers=held)
