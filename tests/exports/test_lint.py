"""`lint` before it knows the format: names, sizes, peaks; and what it may import."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

import kgen_exports.lint
from kgen.errors import KgenError
from kgen_exports import foreign
from kgen_exports.lint import lint, onnx_file, ranges
from kgen_exports.lint.report import Finding, ordered, places


@pytest.fixture
def relu(tmp_path):
    """A clean ONNX file of one node."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 4)) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "relu.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("name", ["model.pb", "model", "onnx"])
def test_another_name_is_refused(tmp_path, name):
    with pytest.raises(KgenError, match=r"neither an \.onnx nor a \.tflite file"):
        lint(tmp_path / name)


@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_what_is_not_a_file_is_refused(tmp_path, suffix):
    with pytest.raises(KgenError, match="There is no file"):
        lint(tmp_path / f"missing.{suffix}")
    (tmp_path / f"folder.{suffix}").mkdir()
    with pytest.raises(KgenError, match="is not a regular file"):
        lint(tmp_path / f"folder.{suffix}")
    # Opening a named pipe would wait for its other end for ever.
    os.mkfifo(tmp_path / f"pipe.{suffix}")
    with pytest.raises(KgenError, match="is not a regular file"):
        lint(tmp_path / f"pipe.{suffix}")


@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_a_huge_file_is_refused_before_it_is_read(tmp_path, suffix, monkeypatch):
    path = tmp_path / f"huge.{suffix}"
    with path.open("wb") as file:
        file.truncate(foreign.MAX_BYTES + 1)  # sparse: takes no space
    monkeypatch.setattr(type(path), "read_bytes", lambda self: pytest.fail("read"))
    with pytest.raises(KgenError, match=r"has 2,147,483,648 bytes"):
        lint(path)


def test_a_file_that_may_not_be_read_is_one_line(relu, monkeypatch):
    def denied(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(relu), "read_bytes", denied)
    with pytest.raises(KgenError, match=r"relu\.onnx cannot be read: Permission denied"):
        lint(relu)


def test_peaks_beyond_float16_are_found(relu):
    # The border is float16's own: one more than its largest number rounds to infinity at 65520.
    largest = float(np.finfo(np.float16).max)
    assert largest == ranges.LARGEST
    report = lint(relu, peaks={"a": 70_000.0, "b": 16_000.0, "c": 14_000.0, "d": largest})
    over, near = report.findings
    assert (over.severity, over.rule, over.where) == ("error", "fp16-range", "a (7e+04)")
    assert (near.severity, near.where) == ("warning", "d (6.55e+04), b (1.6e+04)")
    assert not report.ok


@pytest.mark.parametrize("peak", [float("nan"), float("inf")])
def test_peaks_that_are_not_finite_are_errors(relu, peak):
    assert not lint(relu, peaks={"a": peak}).ok


def test_without_peaks_nothing_is_said_of_float16s_range(relu):
    assert lint(relu).findings == ()
    assert lint(relu, peaks={"a": 1.0}).findings == ()


def test_places_name_three():
    assert places(["a", "b", "c"]) == "a, b, c"
    assert places(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


def test_long_places_keep_their_ends():
    said = places([f"CONV_2D {'layer;' * 500} last"])
    assert said.startswith("CONV_2D layer;")
    assert said.endswith("layer; last")
    assert len(said) <= 80


def test_findings_keep_their_order_within_a_severity():
    made = [
        Finding(severity=severity, rule=rule, message="")
        for severity, rule in (("note", "1"), ("error", "2"), ("warning", "3"), ("error", "4"))
    ]
    assert [finding.rule for finding in ordered(made)] == ["2", "4", "3", "1"]


def emitted():
    """The rules that the sources name: in calls of finding_if, in Finding(...), in tables."""
    for path in Path(kgen_exports.lint.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                named = ast.unparse(node.func)
                rules = [node.args[2]] if named == "finding_if" else []
                rules += [k.value for k in node.keywords if named == "Finding" and k.arg == "rule"]
                yield from (rule.value for rule in rules if isinstance(rule, ast.Constant))
    yield from (name.replace("_", "-") for name in onnx_file.ACCELERATORS)
    yield from ("checker", "runtime", "crash")


def test_every_rule_is_explained_and_every_explanation_has_a_rule():
    text = (Path(__file__).parents[2] / "docs" / "lint.md").read_text()
    headings = re.findall(r"^### `(.+)`$", text, re.MULTILINE)
    assert len(headings) == len(set(headings))
    assert set(headings) == set(emitted())


def test_importing_lint_imports_no_format(subprocess_env):
    heavy = ("numpy", "onnx", "onnxruntime", "ai_edge_litert", "tensorflow", "keras", "torch")
    code = f"import sys, kgen_exports.lint; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=subprocess_env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_onnx_needs_neither_onnxruntime_nor_a_backend(relu, subprocess_env):
    # Modules that are None cannot be imported: as if they were not installed, in the process of
    # the libraries too, whose command line this Python starts.
    absent = ("onnxruntime", "ai_edge_litert", "tensorflow", "keras", "jax", "torch", "tf2onnx")
    site = relu.parent / "sitecustomize.py"
    site.write_text(f"import sys\nfor name in {absent}: sys.modules[name] = None\n")
    paths = os.pathsep.join([str(relu.parent), subprocess_env["PYTHONPATH"]])
    code = (
        "from pathlib import Path; from kgen_exports.lint import lint; "
        f"report = lint(Path({str(relu)!r})); print(report.findings, report.verdicts)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=subprocess_env | {"PYTHONPATH": paths}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "() {}"
