"""Read TFLite files whoever made them: verified first, then as objects.

FlatBuffers' generated Python code trusts the file: a vector may claim a billion elements, and two
thousand tables may all point to one vector of two thousand more. `read_tflite` therefore walks
every table and text first (:func:`verify`), and then checks that every index (tensor, buffer,
operator code, subgraph) points to something.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kgen.errors import KgenError
from kgen_exports.foreign import read_bytes
from kgen_exports.verification import Malformed, verify

# Fields of an operator's options that name other subgraphs.
_SUBGRAPH_FIELDS = (
    "condSubgraphIndex", "bodySubgraphIndex", "thenSubgraphIndex", "elseSubgraphIndex",
    "initSubgraphIndex", "decompositionSubgraphIndex", "subgraph",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Operator:
    """An operator of a TFLite file, with its name looked up.

    Attributes:
        name: `CONV_2D`; for custom operators the name that the file gives: `FlexErf`.
        custom: whether the runtime must be told what it does.
        version: of the operator; old runtimes know only the first ones.
        subgraph: the subgraph it is in; 0 is the main one.
        index: its place there.
        inputs: tensors of the subgraph, -1 where an optional one is left out.
        outputs: tensors of the subgraph.
    """

    name: str
    custom: bool
    version: int
    subgraph: int
    index: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def schema() -> Any:
    """Return the module of TFLite's generated FlatBuffers code, for its types and numbers.

    Raises:
        KgenError: the package that has it is not installed.
    """
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError as error:
        raise KgenError(
            f"Reading TFLite files needs ai-edge-litert ({error}). "
            "Install it: pip install ai-edge-litert"
        ) from error
    return schema_py_generated


def read_tflite(path: Path) -> Any:
    """Return the `ModelT` of a TFLite file, in which every index is known to be valid.

    Lists that the file lacks are None or empty, as the generated code leaves them. Vectors of
    numbers are read-only NumPy views of the file's bytes. Nothing in the file is executed, and no
    other file is opened.

    Raises:
        KgenError: not TFLite, truncated, damaged or too large; ai-edge-litert is not installed.
    """
    return parse_tflite(read_bytes(path, "TFLite"), path)


def parse_tflite(data: bytes, path: Path) -> Any:
    """Return the `ModelT` of a TFLite file's bytes, as :func:`read_tflite`.

    Args:
        data: the whole file.
        path: what to call it in messages.

    Raises:
        KgenError: as for :func:`read_tflite`.
    """
    types = schema()
    try:
        verify(data)
        model = types.ModelT.InitFromObj(types.Model.GetRootAs(data, 0))
        _check_indices(model, len(data))
    except Malformed as error:
        raise KgenError(f"{path} is not a whole TFLite file: {error}.") from error
    # What is left to go wrong are vectors of numbers in an operator's options.
    except (struct.error, ValueError, TypeError, OverflowError) as error:
        raise KgenError(f"{path} is not a whole TFLite file: {error}.") from error
    return model


def tflite_operators(model: Any) -> list[Operator]:
    """List the operators of all subgraphs, in the order they run."""
    types = schema()
    names = {number: name for name, number in vars(types.BuiltinOperator).items() if name[0] != "_"}
    found = []
    for number, graph in enumerate(model.subgraphs):
        for index, operator in enumerate(graph.operators or ()):
            code = model.operatorCodes[operator.opcodeIndex]
            # The older field is one byte; the newer is 0 in files of before 2020.
            builtin = max(code.deprecatedBuiltinCode, code.builtinCode)
            custom = builtin == types.BuiltinOperator.CUSTOM
            name = text(code.customCode) if custom else names.get(builtin, f"BUILTIN_{builtin}")
            found.append(
                Operator(
                    name=name,
                    custom=custom,
                    version=code.version,
                    subgraph=number,
                    index=index,
                    inputs=indices(operator.inputs),
                    outputs=indices(operator.outputs),
                )
            )
    return found


def indices(values: Any) -> tuple[int, ...]:
    """Return a vector of whole numbers, which the generated code may leave as None or 0."""
    return () if values is None or isinstance(values, int) else tuple(int(v) for v in values)


def text(value: bytes | None) -> str:
    """Return a string of the file; bytes that are not UTF-8 are replaced."""
    return (value or b"").decode("utf-8", errors="replace")


def _check_indices(model: Any, size: int) -> None:
    """Raise `Malformed` for an index that points to nothing."""
    if not model.subgraphs:
        raise Malformed("it has no subgraph")
    buffers, codes = model.buffers or (), model.operatorCodes or ()
    subgraphs = range(len(model.subgraphs))
    for buffer in buffers:
        if buffer.offset + buffer.size > size:
            raise Malformed(f"a buffer ends at byte {buffer.offset + buffer.size:,} of {size:,}")
    _within("metadata", [m.buffer for m in model.metadata or ()], len(buffers))
    for graph in model.subgraphs:
        tensors = graph.tensors or ()
        _within("tensor's buffer", [t.buffer for t in tensors], len(buffers))
        _within("input", indices(graph.inputs), len(tensors))
        _within("output", indices(graph.outputs), len(tensors))
        for operator in graph.operators or ():
            _within("operator's code", [operator.opcodeIndex], len(codes))
            _within("operator's input", indices(operator.inputs), len(tensors), optional=True)
            _within("operator's output", indices(operator.outputs), len(tensors))
            _within("operator's subgraph", _subgraphs(operator), len(subgraphs))
    for signature in model.signatureDefs or ():
        _within("signature's subgraph", [signature.subgraphIndex], len(subgraphs))
        tensors = model.subgraphs[signature.subgraphIndex].tensors or ()
        for named in (signature.inputs or (), signature.outputs or ()):
            _within("signature's tensor", [entry.tensorIndex for entry in named], len(tensors))


def _subgraphs(operator: Any) -> Iterator[int]:
    """Yield the subgraphs that an operator runs."""
    for options in (operator.builtinOptions, operator.builtinOptions2):
        for field in _SUBGRAPH_FIELDS:
            if hasattr(options, field):
                yield int(getattr(options, field))
        yield from indices(getattr(options, "branchSubgraphIndices", None))


def _within(what: str, found: Iterable[int], count: int, optional: bool = False) -> None:
    """Raise `Malformed` unless all are in a list of `count`; -1 may stand for nothing."""
    lowest = -1 if optional else 0
    for index in found:
        if not lowest <= index < count:
            raise Malformed(f"{what} {index} is not one of its {count}")
