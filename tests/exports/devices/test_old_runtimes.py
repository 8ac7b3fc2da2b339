"""The oldest runtimes that a bundle's `min_runtime` claims run everything that kgen exports."""

import pytest

from kgen_exports.runtimes import OLDEST
from tests.exports.devices.environments import old_runtimes
from tests.exports.devices.measurement import CASES, kinds, problems

pytestmark = pytest.mark.devices


@pytest.fixture(scope="module")
def told(measured):
    return measured("old-runtimes", old_runtimes)


def test_exactly_the_claimed_versions_ran(told):
    assert told["versions"] == OLDEST


def test_every_file_passes_the_gates_of_the_export(told):
    assert problems(told) == {}


def test_every_file_of_every_export_was_run(told, exported):
    expected = {
        (case, part, entry.format, entry.precision)
        for case in CASES
        for part, entry in exported(case).manifest.files()
    }
    assert kinds(told) == expected
    assert {kind[1] for kind in expected} == {
        "generator", "discriminator", "decoder", "encoder", "denoiser", "sampler",
    }  # fmt: skip
    assert {kind[2:] for kind in expected} == {
        (form, precision)
        for form in ("onnx", "tflite")
        for precision in ("fp32", "fp16", "int8", "int8-static")
    }
