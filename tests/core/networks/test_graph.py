"""What a device would have to run: the TensorFlow graph of every network, in its own process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def graphs() -> dict[str, list[tuple[str, int, list[str]]]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.core.networks.graph"],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_no_tensor_has_more_than_four_axes(graphs):
    for case, operations in graphs.items():
        assert len(operations) > 10
        assert {name for name, rank, _ in operations if rank > 4} == set(), case


def test_no_operation_that_devices_lack(graphs):
    # Pow and strided slices with a new axis become Flex operations, which current runtimes refuse;
    # a graph must draw no random numbers.
    for case, operations in graphs.items():
        names = {name for name, _, _ in operations}
        lacking = {n for n in names if n in ("Pow", "StridedSliceNewAxis") or "Random" in n}
        assert lacking == set(), case


def test_no_float64(graphs):
    for case, operations in graphs.items():
        wide = {name for name, _, dtypes in operations if "float64" in dtypes}
        assert wide == set(), case
