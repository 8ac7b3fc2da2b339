"""`lint` on ONNX files: each deliberately bad one breaks exactly the rule it was made to break."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from kgen.errors import KgenError
from kgen_exports import graph
from kgen_exports.lint import lint, native, onnx_graph, onnx_types
from tests.exports.onnx_files import (
    I64,
    by_values,
    convolution,
    dropout,
    duplicated,
    external,
    half,
    index_chain,
    invalid,
    loop,
    model,
    one,
    shape_chain,
    unused,
    value,
    weights,
)

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


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    (tmp_path / "m.onnx").write_bytes(convolution().SerializeToString())
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(KgenError, match="pip install onnx"):
        lint(tmp_path / "m.onnx")
