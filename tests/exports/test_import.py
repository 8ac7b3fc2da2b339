"""Importing the exporters costs nothing: an app that only runs files has no Keras to import."""

import subprocess
import sys

HEAVY = ("keras", "tensorflow", "jax", "torch", "onnx", "tf2onnx")


def test_importing_the_exporters_imports_no_framework(subprocess_env):
    code = f"import sys, kgen_exports; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=subprocess_env,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "[]"
