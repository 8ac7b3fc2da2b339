"""`kgen lint`: a table per file, JSON, and a status that a build can use."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from onnx import TensorProto, helper


def write(name, op, kind=TensorProto.FLOAT, batch=1):
    """Write an ONNX file of one node."""
    ends = [helper.make_tensor_value_info(end, kind, (batch, 4)) for end in "xy"]
    node = helper.make_node(op, ["x"], ["y"], name="n")
    graph = helper.make_graph([node], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    Path(name).write_bytes(model.SerializeToString())
    return name


@pytest.fixture
def clean():
    return write("clean.onnx", "Relu")


@pytest.fixture
def bad():
    return write("bad.onnx", "RandomNormalLike")


def test_a_clean_file_is_status_0(kgen, clean):
    result = kgen("lint", clean)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "clean.onnx",
        "  ONNX, opset 17, IR 8, 72 B, 1 operator (Relu 1), at most 2 axes",
        "  x float32 (1, 4) -> y float32 (1, 4)",
        "  NNAPI YES (1 of 1 nodes), CoreML MLProgram YES (1 of 1 nodes), "
        "CoreML NeuralNetwork YES (1 of 1 nodes)",
        "  Nothing to object to.",
    ]


def test_an_error_is_status_1_with_one_line_per_finding(kgen, bad, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    result = kgen("lint", bad)
    assert result.exit_code == 1
    rows = [row.split() for row in result.stdout.splitlines()[4:]]
    assert [row[:2] for row in rows] == [
        ["error", "random"], ["warning", "nnapi"], ["warning", "coreml-mlprogram"],
    ]  # fmt: skip
    assert rows[0][-2:] == ["[RandomNormalLike", "n]"]


def test_warnings_and_notes_alone_are_status_0(kgen):
    result = kgen("lint", write("open.onnx", "Relu", batch="n"))
    assert result.exit_code == 0
    assert "  note  dynamic-batch" in result.stdout
    assert "x float32 (n, 4) -> y float32 (n, 4)" in result.stdout


def test_a_broken_file_is_one_line_and_status_1(fails):
    Path("text.onnx").write_text("hello, world")
    assert fails("lint", "text.onnx", status=1).startswith("text.onnx is not a whole ONNX file")
    Path("text.tflite").write_text("hello, world")
    assert fails("lint", "text.tflite", status=1).startswith("text.tflite is not a whole TFLite")
    assert fails("lint", "none.onnx", status=1).startswith("There is no file none.onnx")


def test_the_other_files_are_still_looked_at(kgen, clean, bad):
    result = kgen("lint", "none.onnx", clean, bad)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert [line for line in result.stdout.splitlines() if line.endswith(".onnx")] == [clean, bad]


def test_json_has_everything_for_programs(kgen, clean, bad):
    result = kgen("lint", "--json", clean, bad, "none.onnx")
    assert result.exit_code == 1
    good, wrong, none = json.loads(result.stdout)
    assert (good["path"], good["ok"], good["findings"]) == (clean, True, [])
    assert good["verdicts"]["nnapi"]["verdict"] == "YES"
    assert good["inputs"] == [{"name": "x", "shape": [1, 4], "dtype": "float32"}]
    assert not wrong["ok"]
    assert wrong["findings"][0]["rule"] == "random"
    assert none["ok"] is False
    assert none["problem"].startswith("There is no file none.onnx")


def test_a_file_must_be_named(fails):
    assert "Missing argument" in fails("lint", status=2)


def test_help_waits_for_no_format(subprocess_env):
    code = (
        "import sys, kgen_cli.main; "
        "print([m for m in ('numpy', 'onnx', 'ai_edge_litert', 'keras') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=subprocess_env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
