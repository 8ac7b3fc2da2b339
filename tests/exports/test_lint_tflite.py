"""`lint` on TFLite files: TensorFlow's own, good and bad, and damaged ones."""

import json
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given
from hypothesis import strategies as st

from kgen.errors import KgenError
from kgen_exports import verification
from kgen_exports.flatbuffer import parse_tflite, read_tflite, tflite_operators
from kgen_exports.lint import lint
from kgen_exports.lint.tflite_operators import _GPU

# What must be found in a file that TensorFlow made, and nothing else.
CASES = {
    "clean": set(),
    "open batch": {("error", "dynamic")},
    # The key of the random numbers is in uint64.
    "flex": {("error", "flex-op"), ("error", "random"), ("error", "dtype")},
    "rank 5": {("error", "rank")},
    "transpose of rank 5": {("error", "transpose-rank")},
    "random": {("error", "random")},
    "loop": {("note", "control-flow")},
    "open loop": {("note", "control-flow"), ("error", "dynamic"), ("error", "dynamic-loop")},
    "float64": {("error", "float64")},
    "int64": {("warning", "int64")},
    "float16 weights": set(),
    "int8 weights": {("note", "young-op")},
    "gpu lacks": {("warning", "gpu-op")},
    "sum": {("note", "gpu-sum")},
    "sizes by values": {("error", "dynamic-inside"), ("warning", "gpu-op"), ("warning", "int64")},
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The folder of TensorFlow's files."""
    folder = tmp_path_factory.mktemp("tflite")
    program = Path(__file__).with_name("tflite_files.py")
    done = subprocess.run(
        [sys.executable, str(program), str(folder)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture
def clean(files):
    return read_tflite(files / "clean.tflite")


def packed(model):
    """A model's bytes."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def held(buffer):
    """How many bytes a buffer holds."""
    return 0 if buffer.data is None or isinstance(buffer.data, int) else len(buffer.data)


def found_in(model, tmp_path):
    """What is found in a changed model, by rule."""
    path = tmp_path / "changed.tflite"
    path.write_bytes(packed(model))
    return {finding.rule: finding for finding in lint(path).findings}


@pytest.mark.parametrize("name", CASES)
def test_each_bad_file_breaks_its_own_rule_and_no_other(files, name):
    report = lint(files / f"{name}.tflite")
    found = {(finding.severity, finding.rule) for finding in report.findings}
    assert found == CASES[name], report.findings
    assert report.ok == all(severity != "error" for severity, _ in found)
    assert json.loads(json.dumps(report.to_mapping()))["format"] == "tflite"


def test_the_report_says_what_the_file_is(files):
    report = lint(files / "clean.tflite")
    assert (report.format, report.opset, report.ir, report.max_rank) == ("tflite", None, 3, 2)
    assert report.size == report.path.stat().st_size
    assert report.nodes == {"FULLY_CONNECTED": 1, "LEAKY_RELU": 1}
    (x,), (y,) = report.inputs, report.outputs
    assert (x.shape, x.dtype) == ((1, 16), "float32")
    assert (y.shape, y.dtype) == ((1, 16), "float32")
    assert lint(files / "open batch.tflite").inputs[0].shape == (None, 16)


def test_operators_are_those_that_the_runtime_runs(files):
    # The runtime's own list, from C++ that knows nothing of our reading.
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    for name in ("clean", "rank 5", "loop", "float16 weights", "int8 weights"):
        path = files / f"{name}.tflite"
        runtime = Interpreter(
            str(path),
            num_threads=1,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        listed = [op["op_name"] for op in runtime._get_ops_details()]
        operators = tflite_operators(read_tflite(path))
        assert [op.name for op in operators if op.subgraph == 0] == listed


def test_findings_say_where(files):
    finding = lint(files / "gpu lacks.tflite").findings[0]
    assert "lacks REVERSE_V2:" in finding.message
    assert finding.where.startswith("REVERSE_V2 ")
    flex = lint(files / "flex.tflite").findings[0]
    assert "FlexStatelessRandomNormalV2" in flex.where


def test_weights_left_in_variables_are_an_error(clean, tmp_path):
    # What from_concrete_functions writes of a Keras 3 model: variables are read, never filled.
    code = clean.operatorCodes[clean.subgraphs[0].operators[0].opcodeIndex]
    code.builtinCode = schema.BuiltinOperator.READ_VARIABLE
    code.deprecatedBuiltinCode = 127
    assert found_in(clean, tmp_path)["variables"].severity == "error"
    code = schema.OperatorCodeT(
        builtinCode=schema.BuiltinOperator.ASSIGN_VARIABLE, deprecatedBuiltinCode=127
    )
    clean.operatorCodes.append(code)
    clean.subgraphs[0].operators[1].opcodeIndex = len(clean.operatorCodes) - 1
    assert found_in(clean, tmp_path)["variables"].severity == "warning"


def test_custom_operators_are_an_error(clean, tmp_path):
    code = clean.operatorCodes[clean.subgraphs[0].operators[1].opcodeIndex]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = b"Magic"
    finding = found_in(clean, tmp_path)["custom-op"]
    assert (finding.severity, finding.where.split()[0]) == ("error", "Magic")


def test_types_of_activations_and_ends(clean, tmp_path):
    types = schema.TensorType
    graph = clean.subgraphs[0]
    inner = next(index for index in graph.operators[0].outputs if index not in graph.outputs)
    for kind, rule in ((types.INT16, "int16"), (types.FLOAT16, "float16"), (types.STRING, "dtype"),
                       (types.INT4, "young-dtype")):  # fmt: skip
        graph.tensors[inner].type = kind
        assert set(found_in(clean, tmp_path)) == {rule}
    graph.tensors[inner].type = types.FLOAT32
    graph.tensors[graph.inputs[0]].type = types.INT8
    assert set(found_in(clean, tmp_path)) == {"quantized-io"}


def test_a_file_without_signature_is_noted(clean, tmp_path):
    clean.signatureDefs = None
    assert found_in(clean, tmp_path)["no-signature"].severity == "note"


def test_unused_and_duplicated_weights_are_counted(clean, tmp_path):
    graph = clean.subgraphs[0]
    weight = max(graph.tensors, key=lambda tensor: held(clean.buffers[tensor.buffer]))
    copy = schema.BufferT(data=clean.buffers[weight.buffer].data)
    clean.buffers += [copy, schema.BufferT(data=np.ones(7, np.uint8))]
    extra = schema.TensorT(shape=weight.shape, buffer=len(clean.buffers) - 2, name=b"again")
    graph.tensors.append(extra)
    found = found_in(clean, tmp_path)
    assert found["duplicate-weights"].message.startswith("1,024 bytes")
    assert "again" in found["duplicate-weights"].where
    assert found["unused-weights"].message.startswith("7 bytes")
    assert found["unused-weights"].severity == "note"


def test_weights_elsewhere_are_an_error_and_never_opened(clean, tmp_path):
    clean.externalBufferGroups = [schema.ExternalBufferGroupT(name=b"/etc/hostname")]
    found = found_in(clean, tmp_path)["external-data"]
    assert (found.severity, found.where) == ("error", "/etc/hostname")


def test_the_gpu_delegates_operators_have_names_of_the_schema():
    assert {name for name in _GPU if not hasattr(schema.BuiltinOperator, name)} == set()


def test_option_numbers_are_those_of_the_schema():
    first, second = schema.BuiltinOptions, schema.BuiltinOptions2
    expected = {
        (4, first.VarHandleOptions): "VarHandle",
        (12, second.StablehloCustomCallOptions): "CustomCall",
        (12, second.StableHLOCompositeOptions): "Composite",
    }
    assert dict(verification._OPTIONS) == expected


def test_a_file_that_is_not_tflite_is_one_line(files, tmp_path):
    whole = (files / "clean.tflite").read_bytes()
    foreign = {"empty": b"", "text": b"hello, world", "cut": whole[: len(whole) // 2],
               "zip": b"PK\x03\x04" + bytes(100), "tail": whole[-500:]}  # fmt: skip
    for name, data in foreign.items():
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(data)
        with pytest.raises(KgenError, match="is not a whole TFLite file") as raised:
            lint(path)
        assert str(path) in str(raised.value)


def test_what_is_appended_to_a_file_does_not_matter(files, tmp_path):
    # Metadata is often a zip archive behind the FlatBuffer.
    path = tmp_path / "with metadata.tflite"
    path.write_bytes((files / "clean.tflite").read_bytes() + b"PK\x03\x04" + bytes(100))
    assert lint(path).findings == ()


def test_a_missing_package_is_named(files, monkeypatch):
    monkeypatch.delattr("ai_edge_litert.schema_py_generated")
    monkeypatch.setitem(sys.modules, "ai_edge_litert.schema_py_generated", None)
    with pytest.raises(KgenError, match="pip install ai-edge-litert"):
        lint(files / "clean.tflite")


def every_table_is_the_same(count):
    """A file of 4 * count bytes, whose subgraphs are one, whose tensors are one: count ** 2."""
    builder = flatbuffers.Builder(1024)
    tensor = schema.TensorT().Pack(builder)
    schema.SubGraphStartTensorsVector(builder, count)
    for _ in range(count):
        builder.PrependUOffsetTRelative(tensor)
    tensors = builder.EndVector()
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    graph = schema.SubGraphEnd(builder)
    schema.ModelStartSubgraphsVector(builder, count)
    for _ in range(count):
        builder.PrependUOffsetTRelative(graph)
    graphs = builder.EndVector()
    schema.ModelStart(builder)
    schema.ModelAddSubgraphs(builder, graphs)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def test_a_small_file_cannot_ask_for_hours(monkeypatch):
    data = every_table_is_the_same(30_000)
    assert len(data) < 300_000
    # The 900 million tables would take half an hour; to count to the real limit takes seconds.
    monkeypatch.setattr(verification, "MAX_TABLES", 100_000)
    with pytest.raises(KgenError, match="more than 100,000 tables"):
        parse_tflite(data, Path("bomb.tflite"))


def test_a_small_file_cannot_ask_for_all_memory():
    # One text of half the file, which every one of thousands of tensors uses as its name.
    builder = flatbuffers.Builder(1024)
    name = builder.CreateString("n" * 100_000)
    schema.TensorStart(builder)
    schema.TensorAddName(builder, name)
    tensor = schema.TensorEnd(builder)
    schema.SubGraphStartTensorsVector(builder, 20_000)
    for _ in range(20_000):
        builder.PrependUOffsetTRelative(tensor)
    tensors = builder.EndVector()
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    graph = schema.SubGraphEnd(builder)
    schema.ModelStartSubgraphsVector(builder, 1)
    builder.PrependUOffsetTRelative(graph)
    graphs = builder.EndVector()
    schema.ModelStart(builder)
    schema.ModelAddSubgraphs(builder, graphs)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    with pytest.raises(KgenError, match="texts are longer than the file"):
        parse_tflite(bytes(builder.Output()), Path("bomb.tflite"))


def indices_that_point_to_nothing(model):
    """Yield what is wrong, and the model with just that wrong."""
    graph = model.subgraphs[0]
    operator = graph.operators[0]
    places = {
        "operator's code": (operator, "opcodeIndex", 99),
        "operator's input": (operator, "inputs", np.array([0, 99, -1], np.int32)),
        "operator's output": (operator, "outputs", np.array([-1], np.int32)),
        "tensor's buffer": (graph.tensors[0], "buffer", 99),
        "input": (graph, "inputs", np.array([99], np.int32)),
        "signature's tensor": (model.signatureDefs[0].inputs[0], "tensorIndex", 99),
        "signature's subgraph": (model.signatureDefs[0], "subgraphIndex", 7),
        "metadata": (model.metadata[0], "buffer", 99),
    }
    for what, (owner, field, wrong) in places.items():
        right = getattr(owner, field)
        setattr(owner, field, wrong)
        yield what, model
        setattr(owner, field, right)


def test_every_index_must_point_to_something(clean):
    for what, model in indices_that_point_to_nothing(clean):
        with pytest.raises(KgenError, match=rf"{what} \S+ is not one of its"):
            parse_tflite(packed(model), Path("m.tflite"))
    parse_tflite(packed(clean), Path("m.tflite"))


def test_a_loop_must_name_its_subgraphs(files):
    model = read_tflite(files / "loop.tflite")
    options = [operator.builtinOptions for operator in model.subgraphs[0].operators]
    loop = next(found for found in options if hasattr(found, "bodySubgraphIndex"))
    loop.bodySubgraphIndex = 99
    with pytest.raises(KgenError, match="operator's subgraph 99 is not one of its 3"):
        parse_tflite(packed(model), Path("m.tflite"))


damage = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=20
)


@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(files, tmp_path_factory, data):
    whole = (files / data.draw(st.sampled_from(["clean", "loop", "flex"]))).with_suffix(".tflite")
    changed = bytearray(whole.read_bytes())
    for place, byte in data.draw(damage):
        changed[int(place * len(changed))] = byte
    end = int(data.draw(st.floats(0.5, 1)) * len(changed))
    path = tmp_path_factory.getbasetemp() / "damaged.tflite"
    path.write_bytes(changed[:end])
    try:
        lint(path)
    except KgenError as error:
        assert str(path) in str(error)  # noqa: PT017


def test_damage_is_both_survived_and_refused(files, tmp_path):
    # The property above is empty if nothing, or everything, is refused.
    whole = (files / "clean.tflite").read_bytes()
    random, outcomes = np.random.default_rng(0), Counter()
    for _ in range(300):
        changed = bytearray(whole)
        struct.pack_into("<B", changed, int(random.integers(8, len(whole))), random.integers(256))
        try:
            parse_tflite(bytes(changed), Path("m.tflite"))
            outcomes["read"] += 1
        except KgenError:
            outcomes["refused"] += 1
    assert min(outcomes["read"], outcomes["refused"]) > 10, outcomes
