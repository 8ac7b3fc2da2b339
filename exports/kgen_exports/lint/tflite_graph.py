"""What is in a TFLite file, looked up once for all rules."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kgen_exports.flatbuffer import Operator, indices, schema, text, tflite_operators
from kgen_exports.lint.report import TensorInfo


@dataclass(frozen=True, kw_only=True, slots=True)
class Tensor:
    """A tensor of a TFLite file.

    Attributes:
        name: as the file has it.
        kind: name of its type: `FLOAT32`.
        sizes: None where a size is open.
        buffer: number of the buffer that holds its values; 0 for none.
        constant: whether the file holds its values.
        subgraph: the subgraph it is in.
    """

    name: str
    kind: str
    sizes: tuple[int | None, ...]
    buffer: int
    constant: bool
    subgraph: int

    @property
    def dynamic(self) -> bool:
        """Whether a size is open."""
        return None in self.sizes

    def __str__(self) -> str:
        sizes = ", ".join("?" if size is None else str(size) for size in self.sizes)
        return f"{self.name} ({sizes})"


class Contents:
    """A model's operators and tensors by name.

    Args:
        model: the file's `ModelT`, its indices checked.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.operators: list[Operator] = tflite_operators(model)
        kinds = {n: name for name, n in vars(schema().TensorType).items() if name[0] != "_"}
        self.graphs = [
            [_tensor(model, tensor, number, kinds) for tensor in graph.tensors or ()]
            for number, graph in enumerate(model.subgraphs)
        ]

    @cached_property
    def tensors(self) -> list[Tensor]:
        """The tensors of all subgraphs."""
        return [tensor for graph in self.graphs for tensor in graph]

    @property
    def inputs(self) -> list[Tensor]:
        """What a caller must feed, in the order of the file."""
        return [self.graphs[0][index] for index in indices(self.model.subgraphs[0].inputs)]

    @property
    def outputs(self) -> list[Tensor]:
        """What comes out, in the order of the file."""
        return [self.graphs[0][index] for index in indices(self.model.subgraphs[0].outputs)]

    @property
    def max_rank(self) -> int:
        """Axes of the tensor with most."""
        return max((len(tensor.sizes) for tensor in self.tensors), default=0)

    def of(self, operator: Operator) -> list[Tensor]:
        """List the tensors that an operator reads and writes."""
        graph = self.graphs[operator.subgraph]
        return [graph[index] for index in (*operator.inputs, *operator.outputs) if index >= 0]

    def named(self, *names: str) -> list[str]:
        """Name the operators of some kinds, with where they are."""
        return [self.label(operator) for operator in self.operators if operator.name in names]

    def label(self, operator: Operator) -> str:
        """Name an operator by what it is and what it writes."""
        graph = self.graphs[operator.subgraph]
        written = graph[operator.outputs[0]].name if operator.outputs else f"#{operator.index}"
        return f"{operator.name} {written}"


def info(tensor: Tensor) -> TensorInfo:
    """Describe an input or output for the report."""
    return TensorInfo(name=tensor.name, shape=tensor.sizes, dtype=tensor.kind.lower())


def buffer_bytes(buffer: Any) -> bytes | memoryview:
    """Return what a buffer holds, without a copy; nothing if it lies after the FlatBuffer."""
    return b"" if buffer.data is None or isinstance(buffer.data, int) else memoryview(buffer.data)


def _tensor(model: Any, tensor: Any, subgraph: int, kinds: dict[int, str]) -> Tensor:
    """Look a tensor up."""
    # `shape` has a 1 where a size is open; `shapeSignature`, where it is there, has -1.
    signature = indices(tensor.shapeSignature) or indices(tensor.shape)
    buffer = model.buffers[tensor.buffer] if model.buffers else None
    held = buffer is not None and (len(buffer_bytes(buffer)) > 0 or buffer.size > 0)
    return Tensor(
        name=text(tensor.name),
        kind=kinds.get(tensor.type, f"TYPE_{tensor.type}"),
        sizes=tuple(size if size >= 0 else None for size in signature),
        buffer=tensor.buffer,
        constant=held or bool(tensor.externalBuffer),
        subgraph=subgraph,
    )
