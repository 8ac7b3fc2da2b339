"""Types, ranks and open sizes of the values in an ONNX file."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from kgen_exports.graph import graphs, onnx_package, walk_nodes
from kgen_exports.lint.report import Finding, TensorInfo, finding_if

MAX_RANK = 4

Sizes = tuple[int | str | None, ...] | None

# Types that phones' runtimes have no kernels for, float64 apart, which has a rule of its own.
_FOREIGN = ("STRING", "COMPLEX64", "COMPLEX128", "BFLOAT16")
_YOUNG = ("INT4", "UINT4", "INT2", "UINT2", "FLOAT4E2M1", "FLOAT8E4M3FN", "FLOAT8E4M3FNUZ",
          "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "FLOAT8E8M0")  # fmt: skip

# Operator -> inputs that say a shape, an axis or a count, which ONNX demands in int64.
_SHAPE_INPUTS = {
    "Reshape": (1,), "Expand": (1,), "Tile": (1,), "Slice": (1, 2, 3, 4), "Pad": (1, 3),
    "Unsqueeze": (1,), "Squeeze": (1,), "Split": (1,), "Resize": (3,), "ConstantOfShape": (0,),
    "TopK": (1,), "CumSum": (1,), "OneHot": (1,), "Loop": (0,), "CenterCropPad": (1,),
    "Trilu": (1,),
}  # fmt: skip
_SHAPE_OUTPUTS = ("Shape", "Size")

_NUMPY_NAMES = {"float": "float32", "double": "float64"}


class Facts:
    """What is known of the values of a model.

    Args:
        model: the file.
        values: name -> number of the type, and sizes, as shape inference found them.
    """

    def __init__(self, model: Any, values: Mapping[str, tuple[int, Sizes]]) -> None:
        self.model = model
        self.nodes = list(walk_nodes(model.graph))
        for function in model.functions:
            self.nodes += walk_nodes(function)
        self._names = {number: name for name, number in onnx_package().TensorProto.DataType.items()}
        self.inferred = bool(values)
        self._values = dict(values)
        for graph in graphs(model.graph):
            for value in (*graph.input, *graph.output, *graph.value_info):
                self._values.setdefault(value.name, _declared(value))
            for tensor in graph.initializer:
                self._values.setdefault(tensor.name, (tensor.data_type, tuple(tensor.dims)))

    @cached_property
    def held(self) -> dict[str, Any]:
        """The tensors that the file itself holds, by name."""
        found = {t.name: t for graph in graphs(self.model.graph) for t in graph.initializer}
        for node in self.nodes:
            if node.op_type == "Constant" and node.output and node.attribute:
                found[node.output[0]] = node.attribute[0].t
        return found

    @property
    def inputs(self) -> list[TensorInfo]:
        """The inputs that a caller must feed."""
        # Until IR version 3, initialisers had to be listed among the inputs.
        held = {tensor.name for tensor in self.model.graph.initializer}
        return [self._info(v.name) for v in self.model.graph.input if v.name not in held]

    @property
    def outputs(self) -> list[TensorInfo]:
        """The outputs."""
        return [self._info(value.name) for value in self.model.graph.output]

    @property
    def max_rank(self) -> int:
        """Axes of the value with most."""
        return max((len(sizes) for _, sizes in self._values.values() if sizes), default=0)

    def kind(self, name: str) -> str:
        """Return the name of a value's type: `FLOAT`; `UNDEFINED` where it is unknown."""
        return self._names.get(self._values.get(name, (0, None))[0], "UNDEFINED")

    def sizes(self, name: str) -> Sizes:
        """Return a value's sizes."""
        return self._values.get(name, (0, None))[1]

    def is_false(self, name: str) -> bool:
        """Tell whether a value is a constant, and false."""
        tensor = self.held.get(name)
        return tensor is not None and not any(tensor.raw_data) and not any(tensor.int32_data)

    def of_kind(self, *kinds: str) -> list[str]:
        """List the values of some types."""
        return [name for name in self._values if self.kind(name) in kinds]

    def _info(self, name: str) -> TensorInfo:
        """Describe an input or output."""
        kind = self.kind(name).lower()
        return TensorInfo(name=name, shape=self.sizes(name), dtype=_NUMPY_NAMES.get(kind, kind))


def check(facts: Facts) -> Iterator[Finding]:
    """Yield what a device would object to in the values."""
    yield from _ranks(facts)
    yield from _open_sizes(facts)
    yield from _floats(facts)
    yield from _int64(facts)


def label(node: Any) -> str:
    """Name a node for people."""
    name = node.name or (node.output[0] if node.output else "")
    return f"{node.op_type} {name}".strip()


def _declared(value: Any) -> tuple[int, Sizes]:
    """Return the type and sizes that the file states for a value."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return tensor.elem_type, None
    sizes = (
        d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in tensor.shape.dim
    )
    return tensor.elem_type, tuple(sizes)


def _ranks(facts: Facts) -> Iterator[Finding]:
    """Find values with more axes than accelerators have."""
    transposes, others = [], []
    for node in facts.nodes:
        perm = next((len(a.ints) for a in node.attribute if a.name == "perm"), 0)
        ranks = [len(facts.sizes(name) or ()) for name in (*node.input, *node.output) if name]
        if max([perm, *ranks], default=0) > MAX_RANK:
            (transposes if node.op_type == "Transpose" else others).append(label(node))
    yield from finding_if(
        transposes, "error", "transpose-rank",
        f"transposes of more than {MAX_RANK} axes, which GPUs and NNAPI lack and CPUs run slowly. "
        "Split them, or reshape so that at most 4 axes move",
    )  # fmt: skip
    yield from finding_if(
        others, "error", "rank",
        f"tensors of more than {MAX_RANK} axes, which GPU delegates and NNAPI refuse. "
        "Reshape with (batch, height * width, groups, channels / groups) or the like",
    )  # fmt: skip


def _open_sizes(facts: Facts) -> Iterator[Finding]:
    """Find sizes that are known only when the model runs."""
    if all(_fixed(size) for info in facts.inputs for size in _known(facts, info.name)):
        yield from _open_inside(facts)
        return
    batches, others = [], []
    for info in (*facts.inputs, *facts.outputs):
        axes = [axis for axis, size in enumerate(info.shape or ()) if not _fixed(size)]
        if info.shape is None or any(axis > 0 for axis in axes):
            others.append(f"{info.name} {_shape_text(info.shape)}")
        elif axes:
            batches.append(f"{info.name} {_shape_text(info.shape)}")
    yield from finding_if(
        batches, "note", "dynamic-batch",
        "the batch is open: fine for servers and browsers; for NNAPI and CoreML ship a file with "
        "the batch pinned to 1",
    )  # fmt: skip
    yield from finding_if(
        others, "warning", "dynamic",
        "sizes other than the batch are open: accelerators refuse the file, and memory cannot be "
        "planned. Export with fixed sizes",
    )  # fmt: skip


def _open_inside(facts: Facts) -> Iterator[Finding]:
    """Find nodes of the main graph whose sizes do not follow from those of its inputs."""
    # Bodies of loops seldom state their shapes; without inference no graph does.
    loose = [
        label(node)
        for node in (facts.model.graph.node if facts.inferred else ())
        if not all(_fixed(size) for name in node.output if name for size in _known(facts, name))
    ]
    yield from finding_if(
        loose, "warning", "dynamic-inside",
        "sizes depend on values, though all inputs are fixed: such nodes stay on the CPU",
    )  # fmt: skip


def _known(facts: Facts, name: str) -> Sequence[int | str | None]:
    """Return a value's sizes; one that is open where even the rank is unknown."""
    sizes = facts.sizes(name)
    return (None,) if sizes is None else sizes


def _fixed(size: int | str | None) -> bool:
    """Tell whether a size is a number, and one that a tensor can have."""
    return isinstance(size, int) and size > 0


def _shape_text(sizes: Sequence[int | str | None] | None) -> str:
    """Write sizes: `(batch, 28, ?)`."""
    if sizes is None:
        return "(?)"
    return f"({', '.join(str(size) if size is not None else '?' for size in sizes)})"


def _floats(facts: Facts) -> Iterator[Finding]:
    """Find types that phones' runtimes lack, or compute by converting."""
    yield from finding_if(
        facts.of_kind("DOUBLE"), "error", "float64",
        "float64, which mobile builds and accelerators lack. Cast tables and constants to float32",
    )  # fmt: skip
    yield from finding_if(
        [f"{name} ({facts.kind(name).lower()})" for name in facts.of_kind(*_FOREIGN)],
        "error", "dtype",
        "types that runtimes on phones have no kernels for. Use float32, int32 or uint8",
    )  # fmt: skip
    yield from finding_if(
        [f"{name} ({facts.kind(name).lower()})" for name in facts.of_kind(*_YOUNG)],
        "warning", "young-dtype",
        "types that only recent runtimes know. Test on the oldest one that you ship",
    )  # fmt: skip
    # Storage in float16 is what small files are made of; computing in it is the trouble.
    storage = ("Cast", "DequantizeLinear", "Constant", "Identity")
    yield from finding_if(
        [
            label(node)
            for node in facts.nodes
            if node.op_type not in storage and any(facts.kind(n) == "FLOAT16" for n in node.output)
        ],
        "warning", "float16",
        "nodes compute in float16: on CPUs the runtime surrounds most with conversions. Store the "
        "weights in float16 and Cast them to float32 instead",
    )  # fmt: skip


def _int64(facts: Facts) -> Iterator[Finding]:
    """Find whole numbers of 64 bits that are more than shapes."""
    ends = [
        f"{info.name} (int64)" for info in (*facts.inputs, *facts.outputs) if info.dtype == "int64"
    ]
    yield from finding_if(
        ends, "warning", "int64",
        "inputs or outputs in int64: NNAPI and CoreML take int32. Declare them int32 or float32",
    )  # fmt: skip
    shapes = _shape_values(facts)
    yield from finding_if(
        [
            label(node)
            for node in facts.nodes
            if node.op_type != "Constant"
            and any(facts.kind(name) == "INT64" and name not in shapes for name in node.output)
        ],
        "warning", "int64-chain",
        "nodes compute in int64 what is no shape (indices, labels, time steps): phones' "
        "accelerators lack it. Use int32, or float32 tables",
    )  # fmt: skip


def _shape_values(facts: Facts) -> set[str]:
    """Return the values that say shapes, or follow from shapes and constants alone."""
    known = set(facts.held)
    for node in facts.nodes:  # in the order they run, so one pass forward
        inputs: Sequence[str] = [name for name in node.input if name]
        if node.op_type in _SHAPE_OUTPUTS or (inputs and all(name in known for name in inputs)):
            known.update(node.output)
    for node in reversed(facts.nodes):
        places = _SHAPE_INPUTS.get(node.op_type, (1,) if node.op_type.startswith("Reduce") else ())
        known.update(node.input[place] for place in places if place < len(node.input))
        if any(name in known and facts.kind(name) == "INT64" for name in node.output):
            known.update(name for name in node.input if facts.kind(name) == "INT64")
    return known
