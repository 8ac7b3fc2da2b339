"""What benchmarks/train.py prints."""

import pytest

from benchmarks import train

FOUND = {
    "backend": "torch", "case": "gan", "batch_size": 32, "kgen": [80.0, 90.0, 100.0],
    "handwritten": [100.0, 100.0, 100.0], "plain": [120.0, 100.0, 110.0], "ratio": 0.9,
    "flops_per_second": 45e9, "ceiling": 90e9, "peak_bytes": 3 * 2**20, "device": "gpu",
    "device_name": "A device", "precision": "bfloat16",
}  # fmt: skip


@pytest.mark.parametrize(
    ("missing", "cells"),
    [
        ({}, "torch gan gpu bfloat16 32 90 100 0.90 110 45.0 90 50.0 3 below"),
        (
            {"plain": [], "ceiling": None, "peak_bytes": None, "ratio": 0.95},
            "torch gan gpu bfloat16 32 90 100 0.95 - 45.0 - - -",
        ),
    ],
)
def test_a_row_has_a_cell_for_each_column_whatever_is_known(missing, cells, capsys):
    train.print_row(FOUND | missing, head=True)
    first, _, row = capsys.readouterr().out.splitlines()
    assert first.startswith("gpu: A device")
    assert row.split() == cells.split()


def test_the_fastest_backend_on_the_same_device_is_compared_with_plain_pytorch():
    others = [
        FOUND | {"backend": "jax", "kgen": [121.0], "plain": []},
        FOUND | {"backend": "tensorflow", "kgen": [900.0], "plain": [], "device": "cpu"},
        FOUND | {"backend": "jax", "kgen": [800.0], "plain": [], "case": "vae"},
    ]
    lines = train.against_plain([*others, FOUND])
    # 121 images/s by the median of 120, 100 and 110.
    assert lines == ["gan: kgen on jax by plain PyTorch: 1.10"]
