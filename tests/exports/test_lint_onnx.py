"""`lint` on ONNX files: each deliberately bad one breaks exactly the rule it was made to break."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from kgen.errors import KgenError
from kgen_exports import graph
from kgen_exports.lint import lint, native, onnx_graph, onnx_types

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


NNAPI = ("warning", "nnapi")
COREML = ("warning", "coreml-mlprogram")

# Made how -> what must be found, and nothing else. NNAPI and CoreML refuse much of it besides, by
# ONNX Runtime's own lists of operators.
CASES = {
    "clean": (convolution, set()),
    "open batch": (lambda: convolution("n"), {("note", "dynamic-batch"), ("note", "nnapi"),
                                              ("note", "coreml-mlprogram")}),
    "open sides": (lambda: convolution(1, "side"), {("warning", "dynamic"), NNAPI, COREML}),
    "shapes in int64": (shape_chain, {("note", "dynamic-batch"), ("note", "nnapi"),
                                      ("note", "coreml-mlprogram")}),
    "float64": (lambda: one("Sqrt", kind=TensorProto.DOUBLE), {("error", "float64")}),
    "string": (lambda: one("Identity", kind=TensorProto.STRING), {("error", "dtype")}),
    "bfloat16": (lambda: one("Sqrt", kind=TensorProto.BFLOAT16),
                 {("error", "dtype"), ("error", "runtime")}),
    "float16": (half, {("warning", "float16")}),
    "int64 ends": (lambda: one("Identity", kind=I64),
                   {("warning", "int64"), ("warning", "int64-chain")}),
    "int64 chain": (index_chain, {("warning", "int64-chain"), COREML}),
    "rank 5": (lambda: one("Relu", (1, 2, 2, 2, 2)), {("error", "rank")}),
    "transpose of rank 5": (lambda: one("Transpose", (1, 2, 3, 4, 5), (5, 4, 3, 2, 1),
                                        perm=[4, 3, 2, 1, 0]), {("error", "transpose-rank")}),
    "random": (lambda: one("RandomNormalLike"), {("error", "random"), NNAPI, COREML}),
    "dropout in training": (lambda: dropout(True), {("error", "random"), NNAPI, COREML}),
    "dropout": (lambda: dropout(False), {NNAPI, COREML}),
    "loop": (loop, {("note", "control-flow"), ("note", "nnapi"), ("note", "coreml-mlprogram")}),
    "custom domain": (lambda: one("Magic", domain="org.example"),
                      {("error", "custom-op"), ("error", "runtime")}),
    "contributed": (lambda: one("QuickGelu", domain="com.microsoft"),
                    {("warning", "contrib-op"), NNAPI}),
    "old opset": (lambda: model([helper.make_node("Relu", ["x"], ["y"])], [value("x", (1, 4))],
                                [value("y", (1, 4))], opset=11), {("warning", "opset")}),
    "young IR": (lambda: model([helper.make_node("Relu", ["x"], ["y"])], [value("x", (1, 4))],
                               [value("y", (1, 4))], ir=11), {("warning", "ir-version")}),
    "unused weights": (unused, {("warning", "unused-weights")}),
    "duplicated weights": (duplicated, {("warning", "duplicate-weights")}),
    "weights elsewhere": (external, {("error", "external-data")}),
    "second bias": (invalid, {("error", "checker"), ("error", "runtime")}),
    "sizes by values": (by_values, {("warning", "dynamic-inside"), ("warning", "int64-chain"),
                                    NNAPI, COREML}),
}  # fmt: skip


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Every case's report."""
    folder = tmp_path_factory.mktemp("onnx")
    paths = {name: folder / f"{name}.onnx" for name in CASES}
    for name, (make, _) in CASES.items():
        paths[name].write_bytes(make().SerializeToString())
    with ThreadPoolExecutor(2) as pool:  # most of the time another process is waited for
        return dict(zip(paths, pool.map(lint, paths.values()), strict=True))


def find(report, rule):
    return next(finding for finding in report.findings if finding.rule == rule)


@pytest.mark.parametrize("name", CASES)
def test_each_bad_file_breaks_its_own_rule_and_no_other(reports, name):
    found = {(finding.severity, finding.rule) for finding in reports[name].findings}
    assert found == CASES[name][1], reports[name].findings
    assert reports[name].ok == all(severity != "error" for severity, _ in found)


def test_the_report_says_what_the_file_is(reports):
    report = reports["clean"]
    assert (report.format, report.opset, report.ir, report.max_rank) == ("onnx", 17, 8, 4)
    assert report.size == report.path.stat().st_size
    assert report.nodes == {"Conv": 2, "LeakyRelu": 1}
    (x,), (y,) = report.inputs, report.outputs
    assert (x.name, x.shape, x.dtype) == ("x", (1, 2, 8, 8), "float32")
    assert (y.name, y.shape, y.dtype) == ("y", (1, 1, 8, 8), "float32")
    assert reports["open batch"].inputs[0].shape == ("n", 2, 8, 8)


def test_the_report_is_ready_for_json(reports):
    for report in reports.values():
        mapping = json.loads(json.dumps(report.to_mapping()))
        assert mapping["ok"] == report.ok
        assert [f["rule"] for f in mapping["findings"]] == [f.rule for f in report.findings]


def test_the_worst_is_said_first(reports):
    for report in reports.values():
        severities = [("error", "warning", "note").index(f.severity) for f in report.findings]
        assert severities == sorted(severities)


def test_verdicts_are_those_of_onnxruntime(reports):
    clean = reports["clean"].verdicts
    assert {name: (v.verdict, v.partitions, v.supported, v.total) for name, v in clean.items()} == {
        name: ("YES", 1, 3, 3) for name in ("nnapi", "coreml_mlprogram", "coreml_neuralnetwork")
    }
    opened = reports["open batch"].verdicts["nnapi"]
    assert (opened.verdict, opened.supported, opened.pinned) == ("NO", 0, "YES")


def test_verdicts_agree_with_the_command_that_onnxruntime_ships(reports, subprocess_env):
    path = reports["loop"].path
    tool = "onnxruntime.tools.check_onnx_model_mobile_usability"
    # The tool's package imports PyTorch for another of its tools, which takes seconds.
    code = (
        "import runpy, sys; sys.modules['torch'] = None; sys.argv[:1] = ['check']; "
        f"runpy.run_module('{tool}', run_name='__main__')"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env=subprocess_env, capture_output=True, text=True, check=True, timeout=120,
    ).stderr  # fmt: skip
    for name, title in (("nnapi", "NNAPI"), ("coreml_mlprogram", "CoreML MLProgram")):
        verdict = reports["loop"].verdicts[name]
        assert (
            f"{verdict.partitions} partitions with a total of {verdict.supported}/{verdict.total} "
            f"nodes can be handled by the {title} EP."
        ) in said
        assert f"perform well with {title} as is: {verdict.verdict}" in said


def test_findings_say_where(reports):
    assert find(reports["random"], "random").where == "RandomNormalLike n"
    assert find(reports["int64 chain"], "int64-chain").where == "Cast to_index"
    assert find(reports["float16"], "float16").where == "MatMul half_product"
    assert find(reports["duplicated weights"], "duplicate-weights").where == "w3 = w4"
    assert (
        f"{8 * 8 * 9 * 4:,} bytes"
        in find(reports["duplicated weights"], "duplicate-weights").message
    )
    assert find(reports["custom domain"], "custom-op").where == "org.example:Magic n"


def test_many_places_are_counted_not_listed(tmp_path):
    nodes = [helper.make_node("Sqrt", [f"v{i}"], [f"v{i + 1}"]) for i in range(9)]
    ends = [value("v0", (1,), TensorProto.DOUBLE)], [value("v9", (1,), TensorProto.DOUBLE)]
    (tmp_path / "m.onnx").write_bytes(model(nodes, *ends).SerializeToString())
    (finding,) = lint(tmp_path / "m.onnx").findings
    assert finding.where.endswith(" and 7 more")


def test_weights_elsewhere_are_named_and_never_opened(reports, tmp_path, monkeypatch):
    finding = find(reports["weights elsewhere"], "external-data")
    assert finding.where == "w1 in '/etc/hostname'"
    monkeypatch.setattr(native, "ask", lambda path: pytest.fail("opened by a library"))
    assert not lint(reports["weights elsewhere"].path).ok


def outside(name):
    """A tensor whose values are in another file."""
    tensor = weights(name, 2, 2)
    onnx.external_data_helper.set_external_data(tensor, f"{name}.bin")
    tensor.ClearField("raw_data")
    return tensor


def test_weights_elsewhere_are_found_wherever_a_file_can_hide_them():
    made = loop()
    body = made.graph.node[0].attribute[0].g
    body.initializer.append(outside("in a body"))
    body.node.append(helper.make_node("Constant", [], ["c"], value=outside("in a constant")))
    sparse = made.graph.sparse_initializer.add()
    sparse.values.CopyFrom(outside("in a sparse one"))
    made.training_info.add().algorithm.initializer.append(outside("in training"))
    node = helper.make_node("Constant", [], ["y"], value=outside("in a function"))
    made.functions.append(helper.make_function("f", "F", [], ["y"], [node], []))
    kept = graph.parse_onnx(made.SerializeToString(), "m.onnx")
    assert sorted(location for _, location in graph.external_tensors(kept)) == [
        "in a body.bin", "in a constant.bin", "in a function.bin", "in a sparse one.bin",
        "in training.bin",
    ]  # fmt: skip


def test_a_branch_is_searched_like_the_main_graph():
    inner = loop()
    inner.graph.node[0].attribute[0].g.node.append(
        helper.make_node("RandomNormalLike", ["v"], ["unread"], name="hidden")
    )
    found = list(onnx_graph.check(onnx_types.Facts(inner, {})))
    assert [(f.rule, f.where) for f in found] == [
        ("random", "RandomNormalLike hidden"), ("control-flow", "Loop n"),
    ]  # fmt: skip


def test_a_function_of_the_file_is_no_custom_operator(tmp_path):
    made = one("Twice", domain="local")
    node = helper.make_node("Add", ["a", "a"], ["b"])
    made.functions.append(
        helper.make_function("local", "Twice", ["a"], ["b"], [node], [helper.make_opsetid("", 17)])
    )
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    report = lint(tmp_path / "m.onnx")
    assert "custom-op" not in {finding.rule for finding in report.findings}
    assert report.nodes == {"local:Twice": 1, "Add": 1}


def test_a_library_that_crashes_is_a_finding_not_a_crash(reports, tmp_path, monkeypatch):
    program = tmp_path / "crash.py"
    program.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setattr(native, "_PROGRAM", program)
    (finding,) = lint(reports["clean"].path).findings
    assert (finding.severity, finding.rule) == ("error", "crash")
    assert "status -11" in finding.message


def test_a_constant_of_a_terabyte_is_not_computed(tmp_path):
    # Twenty bytes that ask for 2^38 floats, a terabyte, when constants are folded.
    shape = numpy_helper.from_array(np.array([2**19, 2**19]), "shape")
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["c"]),
        helper.make_node("ReduceSum", ["c"], ["s"], keepdims=0),
        helper.make_node("Add", ["x", "s"], ["y"]),
    ]
    made = model(nodes, [value("x", (1,))], [value("y", (1,))], [shape])
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    assert lint(tmp_path / "m.onnx").verdicts["nnapi"].total == 3


def test_a_file_that_is_not_onnx_is_one_line(tmp_path):
    whole = convolution().SerializeToString()
    foreign = {"empty": b"", "text": b"hello, world", "cut": whole[: len(whole) // 2],
               "tflite": b"\x1c\x00\x00\x00TFL3" + bytes(100)}  # fmt: skip
    for name, data in foreign.items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(data)
        with pytest.raises(KgenError, match=r"is not a whole ONNX file") as raised:
            lint(path)
        assert str(path) in str(raised.value)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    (tmp_path / "m.onnx").write_bytes(convolution().SerializeToString())
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(KgenError, match="pip install onnx"):
        lint(tmp_path / "m.onnx")


WHOLE = loop().SerializeToString()
damage = st.lists(
    st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=8
)


def checked(data, path):
    """Read bytes and apply every rule that runs in this process."""
    read = graph.parse_onnx(data, path)
    facts = onnx_types.Facts(read, {})
    return [*onnx_graph.check(facts), *onnx_types.check(facts), graph.external_tensors(read)]


@given(changes=damage, end=st.integers(1, len(WHOLE)))
def test_a_damaged_file_is_read_or_refused(tmp_path_factory, changes, end):
    data = bytearray(WHOLE)
    for place, byte in changes:
        data[place] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    try:
        checked(bytes(data[:end]), path)
    except KgenError as error:
        assert str(path) in str(error)  # noqa: PT017


def test_damaged_files_survive_the_libraries(tmp_path):
    # Each takes half a second in the process of the libraries: a sample of what hypothesis does.
    random = np.random.default_rng(3)
    outcomes = set()
    for _ in range(8):
        data = bytearray(WHOLE)
        for place in random.integers(0, len(WHOLE), 2):
            data[place] ^= 1 << int(random.integers(0, 8))
        (tmp_path / "m.onnx").write_bytes(data)
        try:
            outcomes.add(lint(tmp_path / "m.onnx").ok)
        except KgenError:
            outcomes.add("refused")
    assert outcomes >= {False, "refused"}
