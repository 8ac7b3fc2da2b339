"""From an ONNX graph for one picture to a plan: a list of steps that a small program can take.

The program is exports/web/engine/plain.js, which needs no WebAssembly. It knows five steps on flat
arrays of float32 numbers:

- ``dense``: rows times a matrix, plus a bias;
- ``conv``: a convolution of planes (channel, row, pixel), plus a bias;
- ``view``: the same numbers in another order, given by strides: transposes, sub-pixels, slices;
- ``map``: a function of each number;
- ``pair``: two arrays, or an array and weights that repeat along it, number by number.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kgen.errors import KgenError

SCHEMA = "kgen-plain-1"
MAPS = {"Relu": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid", "Exp": "exp", "LeakyRelu": "leaky"}
PAIRS = {"Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div"}
SAME_NUMBERS = ("Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity")

Shape = tuple[int, ...]


@dataclass
class Plan:
    """The steps of one part, and their weights.

    Attributes:
        inputs, outputs: index of a tensor, by name.
        sizes: how many numbers each tensor has.
        steps: each a mapping with ``op`` and the indices of what it reads and makes.
        weights: float32 arrays, in the order in which steps name them.
    """

    inputs: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    weights: list[np.ndarray] = field(default_factory=list)


class Translator:
    """Turns the nodes of a graph into steps, one after the other.

    Args:
        graph: an `onnx.GraphProto` for one picture, with the shapes of all values.
        where: the file, for messages.
    """

    def __init__(self, graph: Any, where: str):
        from onnx import numpy_helper

        self.where = where
        self.plan = Plan()
        self.constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        values = (*graph.input, *graph.output, *graph.value_info)
        self.shapes: dict[str, Shape] = {
            value.name: tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
            for value in values
        }
        self._tensor: dict[str, int] = {}
        for value in graph.input:
            if value.type.tensor_type.elem_type != 1:
                raise self.refuse(f"the input {value.name}, which is not float32")
            self.plan.inputs[value.name] = self._new(value.name)

    def refuse(self, what: str) -> KgenError:
        """Say that the JavaScript engine lacks something."""
        return KgenError(
            f"The JavaScript engine cannot run {self.where}. Received: {what}. Leave it out: "
            "--runtimes onnxruntime,litert."
        )

    def translate(self, graph: Any) -> Plan:
        """Translate every node.

        Raises:
            KgenError: an operation that the engine does not have.
        """
        from onnx import helper

        for node in graph.node:
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            self._translate(node, attributes)
        self.plan.outputs = {value.name: self._read(value.name) for value in graph.output}
        return self.plan

    def _translate(self, node: Any, attributes: dict[str, Any]) -> None:
        kind = node.op_type
        if node.domain not in ("", "ai.onnx"):
            raise self.refuse(f"the operation {node.domain}.{kind}")
        if kind == "Constant":
            from onnx import numpy_helper

            if "value" not in attributes:
                raise self.refuse("a constant that is not a tensor")
            self.constants[node.output[0]] = numpy_helper.to_array(attributes["value"])
        elif kind in SAME_NUMBERS:
            self._alias(node)
        elif kind in MAPS:
            extra = {"alpha": attributes.get("alpha", 0.01)} if kind == "LeakyRelu" else {}
            self._step("map", node, x=self._read(node.input[0]), f=MAPS[kind], **extra)
        elif kind in PAIRS:
            self._pair(node)
        else:
            found: Callable[..., None] | None = {
                "MatMul": self._dense, "Gemm": self._dense, "Conv": self._conv,
                "Transpose": self._transpose, "DepthToSpace": self._depth_to_space,
                "Slice": self._slice,
            }.get(kind)  # fmt: skip
            if found is None:
                raise self.refuse(f"the operation {kind}")
            found(node, attributes)

    # Tensors and weights.

    def _new(self, name: str) -> int:
        """Make room for a value."""
        shape = self.shapes.get(name)
        if shape is None or 0 in shape:
            raise self.refuse(f"{name}, whose size depends on what is fed")
        self._tensor[name] = len(self.plan.sizes)
        self.plan.sizes.append(math.prod(shape))
        return self._tensor[name]

    def _read(self, name: str) -> int:
        """Return the index of a value that is computed."""
        if name not in self._tensor:
            raise self.refuse(f"{name}, which is a constant where a computed value is expected")
        return self._tensor[name]

    def _weight(self, values: np.ndarray) -> int:
        self.plan.weights.append(np.ascontiguousarray(values, np.float32))
        return len(self.plan.weights) - 1

    def _constant(self, name: str) -> np.ndarray:
        if name not in self.constants:
            raise self.refuse(f"{name}, which is computed where a constant is expected")
        return self.constants[name]

    def _step(self, op: str, node: Any, **values: Any) -> None:
        self.plan.steps.append({"op": op, **values, "y": self._new(node.output[0])})

    def _alias(self, node: Any) -> None:
        """Give a second name to the same numbers in the same order."""
        source, name = node.input[0], node.output[0]
        if source in self.constants:
            self.constants[name] = self.constants[source].reshape(self.shapes[name])
            return
        index = self._read(source)
        if math.prod(self.shapes.get(name, ())) != self.plan.sizes[index]:
            raise self.refuse(f"{name}, whose size depends on what is fed")
        self._tensor[name] = index

    # Products.

    def _dense(self, node: Any, attributes: dict[str, Any]) -> None:
        if attributes.get("transA", 0) or any(attributes.get(n, 1) != 1 for n in ("alpha", "beta")):
            raise self.refuse("a Gemm with other factors")
        matrix = self._constant(node.input[1])
        if matrix.ndim != 2:
            raise self.refuse(f"a product with {matrix.ndim} axes")
        # The numbers of one output side by side, as the inner loop reads them.
        rows = matrix if attributes.get("transB", 0) else matrix.T
        bias = self._constant(node.input[2]).ravel() if len(node.input) > 2 else np.zeros(1)
        if bias.size not in (1, len(rows)):
            raise self.refuse("a Gemm with another bias for every row")
        self._step(
            "dense", node, x=self._read(node.input[0]), w=self._weight(rows),
            b=self._weight(np.broadcast_to(bias, len(rows))), ins=rows.shape[1], outs=len(rows),
        )  # fmt: skip

    def _conv(self, node: Any, attributes: dict[str, Any]) -> None:
        kernel = self._constant(node.input[1])
        source, made = self.shapes[node.input[0]], self.shapes[node.output[0]]
        if kernel.ndim != 4 or attributes.get("group", 1) != 1:
            raise self.refuse("a convolution in groups, or of other than two dimensions")
        bias = self._constant(node.input[2]) if len(node.input) > 2 else np.zeros(len(kernel))
        strides, dilations = (list(attributes.get(n, (1, 1))) for n in ("strides", "dilations"))
        self._step(
            "conv", node, x=self._read(node.input[0]), w=self._weight(kernel),
            b=self._weight(bias), size=list(source[1:]), made=list(made[1:]),
            kernel=list(kernel.shape[2:]), strides=strides, dilations=dilations,
            pads=_pads(attributes, source[2:], made[2:], kernel.shape[2:], strides),
        )  # fmt: skip

    # Other orders of the same numbers.

    def _view(self, node: Any, dims: Shape, strides: Shape, offset: int = 0) -> None:
        kept = [(d, s) for d, s in zip(dims, strides, strict=True) if d > 1] or [(1, 1)]
        dims, strides = (tuple(column) for column in zip(*kept, strict=True))
        if not offset and strides == _strides(dims) and math.prod(dims) == self._size(node):
            self._tensor[node.output[0]] = self._read(node.input[0])
            return
        self._step(
            "view", node, x=self._read(node.input[0]), dims=list(dims), strides=list(strides),
            offset=offset,
        )  # fmt: skip

    def _size(self, node: Any) -> int:
        return self.plan.sizes[self._read(node.input[0])]

    def _transpose(self, node: Any, attributes: dict[str, Any]) -> None:
        shape = self.shapes[node.input[0]]
        order = attributes.get("perm") or tuple(reversed(range(len(shape))))
        strides = _strides(shape)
        self._view(node, tuple(shape[i] for i in order), tuple(strides[i] for i in order))

    def _depth_to_space(self, node: Any, attributes: dict[str, Any]) -> None:
        block = attributes["blocksize"]
        _, channels, height, width = self.shapes[node.input[0]]
        made = channels // block**2
        if attributes.get("mode", b"DCR") == b"DCR":
            row, column, channel = _strides((block, block, made))
        else:
            channel, row, column = _strides((made, block, block))
        plane = height * width
        self._view(
            node, (made, height, block, width, block),
            (channel * plane, width, row * plane, 1, column * plane),
        )  # fmt: skip

    def _slice(self, node: Any, attributes: dict[str, Any]) -> None:
        shape = self.shapes[node.input[0]]
        starts, ends = (self._constant(name) for name in node.input[1:3])
        given = [name for name in node.input[3:] if name]
        axes = self._constant(given[0]) if given else np.arange(len(starts))
        steps = self._constant(given[1]) if len(given) > 1 else np.ones(len(starts), int)
        dims, strides, offset = list(shape), list(_strides(shape)), 0
        for axis, *bounds in zip(axes, starts, ends, steps, strict=True):
            taken = range(shape[axis])[slice(*(int(n) for n in bounds))]
            offset += taken.start * strides[axis]
            dims[axis], strides[axis] = len(taken), strides[axis] * taken.step
        self._view(node, tuple(dims), tuple(strides), offset)

    # Number by number.

    def _pair(self, node: Any) -> None:
        f, (left, right) = PAIRS[node.op_type], node.input
        made = self.shapes[node.output[0]]
        if left in self.constants and right in self.constants:
            raise self.refuse("arithmetic on constants that could not be folded")
        if left in self._tensor and right in self._tensor:
            if self.shapes[left] != made or self.shapes[right] != made:
                raise self.refuse(f"{node.op_type} of arrays of different shapes")
            self._step("pair", node, f=f, x=self._read(left), z=self._read(right))
            return
        swapped = left in self.constants
        computed, constant = (right, left) if swapped else (left, right)
        if self.shapes[computed] != made:
            raise self.refuse(f"{node.op_type} that makes an array larger")
        values, inner = _repeating(self._constant(constant), made)
        self._step(
            "pair", node, f=f, x=self._read(computed), w=self._weight(values), inner=inner,
            swapped=swapped,
        )  # fmt: skip


def _strides(shape: Shape) -> Shape:
    """Return by how many numbers neighbours along each axis are apart."""
    return tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))


def _pads(
    attributes: dict[str, Any], source: Shape, made: Shape, kernel: Shape, strides: list[int]
) -> list[int]:
    """Return the rows and pixels of zeros above and to the left."""
    how = attributes.get("auto_pad", b"NOTSET")
    if how in (b"NOTSET", b""):
        return list(attributes.get("pads", (0, 0, 0, 0)))[:2]
    if how == b"VALID":
        return [0, 0]
    pads = []
    for n, m, k, s in zip(source, made, kernel, strides, strict=True):
        total = max((m - 1) * s + k - n, 0)
        pads.append((total + (how == b"SAME_LOWER")) // 2)
    return pads


def _repeating(values: np.ndarray, shape: Shape) -> tuple[np.ndarray, int]:
    """Return a constant's numbers, and how often each comes in a row along an array of `shape`.

    After the last number the first follows again.
    """
    aligned = values.reshape((1,) * (len(shape) - values.ndim) + values.shape)
    varies = [axis for axis, n in enumerate(aligned.shape) if n > 1]
    if not varies:
        return aligned.ravel(), 1
    first, last = varies[0], varies[-1]
    block = np.broadcast_to(aligned, (*aligned.shape[:first], *shape[first : last + 1],
                                      *aligned.shape[last + 1 :]))  # fmt: skip
    return block.ravel(), math.prod(shape[last + 1 :])
