"""What a file computes on the way: all of its tensors, in the order in which they are made.

Only what depends on the inputs is shown; weights, and what is computed of them alone, are not.
Of a sampler the first step is shown, as if there were no loop: what is inside of a loop is out of
reach otherwise, and a wrong layer is wrong in the first step already.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Feeds = Mapping[str, np.ndarray]
Tensors = list[tuple[str, np.ndarray]]


def tensors(path: Path, runtime: str, feeds: Feeds) -> Tensors:
    """Run a file on one picture, without what a runtime does to be faster.

    Args:
        path: a file that kgen wrote.
        runtime: ``onnxruntime`` or ``litert``.
        feeds: of one picture, by the inputs' names. An input that is not among them is zero. A
            file for more pictures gets the same one several times.

    Returns:
        (name, value) of every floating-point tensor; values in int8 are made float32.
    """
    show: Callable[[bytes, Feeds], Tensors] = {"onnxruntime": _onnx, "litert": _tflite}[runtime]
    return show(path.read_bytes(), feeds)


def _onnx(content: bytes, feeds: Feeds) -> Tensors:
    import onnx
    import onnxruntime as ort

    model = onnx.ModelProto.FromString(content)
    graph = model.graph
    for node in graph.node:
        if node.op_type == "Loop":
            _unroll(graph, node)
    made = _made([(node.input, node.output) for node in graph.node], {v.name for v in graph.input})
    inputs = {
        value.name: _batched(
            feeds.get(value.name),
            [d.dim_value or 1 for d in value.type.tensor_type.shape.dim],
            onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type),
        )
        for value in graph.input
    }
    del graph.output[:]
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in made)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    values: list[Any] = session.run(made, inputs)
    return [(n, v) for n, v in zip(made, values, strict=True) if v.dtype == np.float32]


def _unroll(graph: Any, loop: Any) -> None:
    """Put the first turn of a loop in the loop's place; the loop's outputs are gone."""
    from onnx import helper

    (body,) = (a.g for a in loop.attribute if a.name == "body")
    # The counter, zero, and whether to go on, which nobody reads.
    graph.input.extend(body.input[:2])
    graph.initializer.extend(body.initializer)
    carried = [value.name for value in body.input[2:]]
    start = list(graph.node).index(loop)
    graph.node.remove(loop)
    first = [
        helper.make_node("Identity", [given], [name])
        for given, name in zip(loop.input[2:], carried, strict=True)
    ]
    for place, node in enumerate([*first, *body.node]):
        graph.node.insert(start + place, node)


def _tflite(content: bytes, feeds: Feeds) -> Tensors:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    names = [model.subgraphs[0].tensors[i].name.decode() for i in model.subgraphs[0].inputs]
    loop = next((o for o in model.subgraphs[0].operators if _is_while(model, o)), None)
    if loop is not None:
        names = [model.subgraphs[0].tensors[i].name.decode() for i in loop.inputs]
        model.subgraphs = [model.subgraphs[loop.builtinOptions.bodySubgraphIndex]]
        model.signatureDefs = []
        builder = flatbuffers.Builder(len(content))
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        content = bytes(builder.Output())
    graph = model.subgraphs[0]
    interpreter: Any = Interpreter(
        model_content=content,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    for name, detail in zip(names, interpreter.get_input_details(), strict=True):
        value = _batched(feeds.get(name), detail["shape"], detail["dtype"])
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    made = _made([(o.inputs, o.outputs) for o in graph.operators], set(graph.inputs))
    return [
        (details[i]["name"], _float(interpreter.get_tensor(i), details[i]))
        for i in made
        if details[i]["dtype"] in (np.float32, np.int8)
    ]


def _is_while(model: Any, operator: Any) -> bool:
    from ai_edge_litert import schema_py_generated as schema

    return model.operatorCodes[operator.opcodeIndex].builtinCode == schema.BuiltinOperator.WHILE


def _float(value: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    """Turn numbers in int8 into what they stand for."""
    if value.dtype != np.int8:
        return value
    scale, zero = detail["quantization"]
    return ((value.astype(np.float32) - zero) * scale).astype(np.float32)


def _made(steps: list[tuple[Any, Any]], changing: set[Any]) -> list[Any]:
    """List what depends on inputs, given each step's inputs and outputs and the first inputs."""
    known, made = set(changing), []
    for inputs, outputs in steps:
        if any(name in known for name in inputs):
            known.update(outputs)
            made += [name for name in outputs if name != ""]
    return made


def _batched(value: np.ndarray | None, shape: Any, dtype: Any) -> np.ndarray:
    """Return one picture's input as often as a file wants it, or zeros."""
    if value is None:
        return np.zeros(tuple(shape), dtype)
    count = int(shape[0])
    return np.ascontiguousarray(np.repeat(value[:1], count, axis=0), dtype)
