"""Files draw the same on ARM64, the processor of phones, as they do on x86-64."""

import pytest

from tests.exports.devices.environments import ARM64_RUNTIMES, arm64
from tests.exports.devices.measurement import CASES, kinds, problems

pytestmark = pytest.mark.devices


@pytest.fixture(scope="module")
def told(measured):
    return measured("arm64", arm64)


def test_it_was_arm64_that_ran(told):
    assert told["machine"] == "aarch64"
    assert told["versions"] == ARM64_RUNTIMES


def test_every_file_passes_the_gates_of_the_export(told):
    # The same gates as on x86-64: int8 is computed by other kernels there, and must be as good.
    assert problems(told) == {}


def test_every_file_of_every_export_was_run(told, exported):
    assert kinds(told) == {
        (case, part, entry.format, entry.precision)
        for case in CASES
        for part, entry in exported(case).manifest.files()
    }
