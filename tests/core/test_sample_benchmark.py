"""The bookkeeping of benchmarks/sample.py: turns, ratios, table; nobody needs diffusers here."""

import argparse
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import sample, sampling
from benchmarks.sampling import turns
from benchmarks.sampling.turns import Row, Turn

ANSWERS = """
import json, sys
print(sys.argv[1], flush=True)
for i, _ in enumerate(sys.stdin):
    print(float(sys.argv[2]) * (i + 1), flush=True)
"""
DIES = "raise SystemExit('no GPU')"
DIES_LATER = """
import sys
print('{}', flush=True)
sys.stdin.readline()
raise SystemExit('no memory')
"""


def process(seconds, drawn=(0,), parameters=None, flops=None):
    """Make the command of a contestant whose rounds take `seconds`, twice that, and so on."""
    ready = json.dumps({"parameters": parameters, "flops": flops, "drawn": drawn})
    return [sys.executable, "-c", ANSWERS, ready, str(seconds)]


@pytest.fixture
def all_installed(monkeypatch):
    monkeypatch.setattr(sampling, "util", SimpleNamespace(find_spec=lambda name: name))


def measured(commands, rounds=3):
    """Measure contestants by their commands."""
    rows = [Row(name=name, pictures=2) for name in commands]
    turns.measure(rows, lambda name: Turn(commands[name]), rounds)
    return {row.name: row for row in rows}


def test_a_ratio_is_the_median_of_ratios_within_a_round():
    mine, other = [1.0, 10.0, 2.0], [3.0, 20.0, 8.0]
    rows = [
        Row(name="diffusers", pictures=1, rounds=other),
        Row(name="keras-jax", pictures=1, rounds=mine, drawn=[0]),
    ]
    turns.compare(rows)
    # 3, 2 and 4; of the medians it would be 8 / 2.
    assert (rows[0].ratio, rows[1].ratio) == (1.0, 3.0)


def test_contestants_answer_in_turn_and_are_compared(all_installed):
    rows = measured({
        "diffusers": process(8.0, drawn=[9, 9]),
        "keras-torch": process(2.0, drawn=[10, 200], parameters=7, flops=11),
        "onnx-loop": process(1.0, drawn=[11, 195]),
    })  # fmt: skip
    assert rows["keras-torch"].rounds == [2.0, 4.0, 6.0]
    assert {name: row.ratio for name, row in rows.items()} == {
        "diffusers": 1.0, "keras-torch": 4.0, "onnx-loop": 8.0,
    }  # fmt: skip
    # 4 seconds are the median; for two pictures.
    assert rows["keras-torch"].ms == 2000.0
    assert [row.levels for row in rows.values()] == [None, 0, 5]
    # The same network, whoever counted it; diffusers' is another.
    assert (rows["onnx-loop"].parameters, rows["onnx-loop"].flops) == (7, 11)
    assert rows["diffusers"].parameters is None


def test_who_fails_says_why_and_the_others_are_measured(all_installed):
    rows = measured({
        "diffusers": [sys.executable, "-c", DIES],
        "keras-jax": [sys.executable, "-c", DIES_LATER],
        "onnx-loop": process(1.0),
    })  # fmt: skip
    assert rows["diffusers"].problem == "no GPU"
    assert rows["keras-jax"].problem == "no memory"
    assert rows["onnx-loop"].rounds == [1.0, 2.0, 3.0]
    assert rows["onnx-loop"].ratio is None


def test_without_diffusers_the_table_says_how_to_install_it(monkeypatch, capsys):
    others = SimpleNamespace(find_spec=lambda name: None if name == "diffusers" else name)
    monkeypatch.setattr(sampling, "util", others)
    rows = measured({"diffusers": ["never started"], "keras-jax": process(0.004)})
    sample.print_table([*rows.values()], argparse.Namespace(precision="float32", device="cpu"))
    _, _, diffusers, jax = capsys.readouterr().out.splitlines()
    assert "pip install" in diffusers
    assert "requirements-quality.txt" in diffusers
    # The median of 4, 8 and 12 ms, for two pictures; nothing to compare with.
    assert jax.split() == ["keras-jax", "4.000", "-", "-", "-", "0"]


@pytest.mark.backend
def test_operations_of_a_convolution_are_two_for_each_weight_and_pixel():
    import torch

    from benchmarks.sampling.flops import operations

    layer = torch.nn.Conv2d(3, 5, 3, padding=1)
    assert operations(lambda: layer(torch.zeros(1, 3, 6, 4))) == 2 * (3 * 5 * 3 * 3) * (6 * 4)


def residual(before, after, condition):
    """Count a block: two norms, two convolutions, the timestep's map, and a projection."""
    count = 2 * before + (9 * before + 1) * after + 2 * after + (9 * after + 1) * after
    count += (condition + 1) * 2 * after
    return count + ((before + 1) * after if before != after else 0)


@pytest.mark.backend
def test_keras_draws_with_the_default_network_and_counts_it_once(tmp_path, monkeypatch):
    import keras

    from benchmarks.export import make_run
    from benchmarks.sampling import Task, _kgen

    monkeypatch.setattr(_kgen, "STEPS", 2)
    make_run("ddpm", tmp_path)
    found = _kgen.in_keras(Task(pictures=3, folder=tmp_path), keras.backend.backend())
    pictures = found.draw()
    assert (pictures.shape, pictures.dtype) == ((3, 28, 28, 1), np.uint8)
    # Widths 32 and 64, a condition of 128, patches of 4 pixels (docs/diffusion.md).
    time, stem, head = 2 * 129 * 128, (9 * 4 + 1) * 32, 2 * 32 + (9 * 32 + 1) * 4
    down = residual(32, 32, 128) + (4 * 32 + 1) * 64 + residual(64, 64, 128)
    attention = 2 * 64 + (64 + 1) * 3 * 64 + (64 + 1) * 64
    up = residual(128, 64, 128) + (64 + 1) * 4 * 32 + residual(64, 32, 128)
    assert found.parameters == time + stem + down + attention + up + head
