"""Families x backends that trained them x formats x precisions: the files draw what the model does.

Runs once per backend: a tiny run is trained on it, in this process, and exported by another.
"""

import numpy as np
import pytest

from kgen import models, training
from kgen.families import FAMILIES
from kgen_exports.export import export
from kgen_exports.job import DEFAULT_PRECISIONS, PARTS, Job
from kgen_exports.runtime import load
from tests.core import tiny

pytestmark = pytest.mark.backend

RUNTIMES = ("onnxruntime", "litert")
# Float error before rounding to 256 levels: fp32 of another backend may cross a rounding edge.
LEVELS = {"fp32": 1, "fp16": 4, "int8": 60, "int8-static": 120}


@pytest.mark.parametrize("family", FAMILIES)
def test_files_of_a_run_draw_what_its_backend_draws(family, tmp_path):
    run = tiny.new_run(family, tmp_path, training__steps=3)
    training.train(run)
    model = models.load(run)
    # eta is named, since an export has another default than a model.
    options = {"num_steps": 3, "eta": 0.5} if family == "ddpm" else {}
    expected = model.generate(5, seed=7, **options)
    static = () if family == "ddpm" else ("int8-static",)
    precisions = (*DEFAULT_PRECISIONS, *static)
    job = Job(
        run=str(run.path), family=family, precisions=precisions, parts=PARTS[family],
        sampler=options,
    )  # fmt: skip
    done = export(job, tmp_path / "out")
    # int8-static may be refused for such a barely trained network; the others may not.
    assert {check.entry.precision for check in done.refused} <= {"int8-static"}
    bundle = load(tmp_path / "out")
    assert set(bundle.manifest.parts) == set(PARTS[family])
    kept = {(c.entry.format, c.entry.precision) for c in done.passed}
    for runtime, form in zip(RUNTIMES, ("onnx", "tflite"), strict=True):
        for precision in DEFAULT_PRECISIONS:
            assert (form, precision) in kept
            drawn = bundle.generate(5, seed=7, precision=precision, runtime=runtime)
            assert drawn.shape == expected.shape
            worst = np.abs(drawn.astype(int) - expected).max()
            assert worst <= LEVELS[precision], (runtime, precision)
