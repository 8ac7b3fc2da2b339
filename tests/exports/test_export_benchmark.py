"""benchmarks/export.py: every way of running a part is measured, on the same work."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_benchmark_measures_kgens_files_keras_and_keras_own_export(
    finished_runs, subprocess_env
):
    command = [sys.executable, str(ROOT / "benchmarks" / "export.py"), "--json", "--rounds", "1"]
    options = ["--repeats", "1", "--runs", str(finished_runs / "gan")]
    done = subprocess.run(
        [*command, *options], env=subprocess_env, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    files = [f".{end}" for end in ("b1.onnx", "fp16.b1.onnx", "int8.b1.onnx", "tflite",
                                   "fp16.tflite", "int8.tflite")]  # fmt: skip
    keras = ["Keras predict", "Keras compiled", "Keras export, ONNX", "Keras export, LiteRT"]
    assert [(row["part"], row["way"]) for row in rows] == [
        (part, way)
        for part in ("generator",)
        for way in (*keras, *(f"kgen, {part}{file}" for file in files))
    ]
    for row in rows:
        assert row["problem"] is None
        assert len(row["rounds"]) == 1
        # Every way draws the same: float32 as the proof asks for, less of the smaller precisions.
        exact = not any(kind in row["way"] for kind in ("fp16", "int8"))
        assert row["max_error"] <= (1e-4 if exact else 0.5)
        assert row["ratios"]["predict"] > 0
        assert row["ratios"]["compiled"] > 0
        assert (row["ratios"]["stock"] is None) == (row["way"] in keras[:2])
