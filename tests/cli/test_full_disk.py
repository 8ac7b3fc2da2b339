"""A disk that takes no more: one line, and what was there before stays whole.

Writes fail for real: the system is told to let no file of the process grow beyond a few kilobytes.
"""

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kgen import checkpoint
from kgen.run import Run

pytestmark = pytest.mark.backend

ROOT = Path(__file__).parents[2]
# config.toml and summary.json fit, a checkpoint (60 kB), model.keras and curves.png do not.
LIMIT = 8192
TRAIN = ["train", "vae", "--run", "mine", "--data", "tiny.npz", "--batch-size", "8", "--grid", "4",
         "--network", "mlp", "--encoder-widths", "64", "--decoder-widths", "64",
         "--device", "cpu"]  # fmt: skip


@pytest.fixture(autouse=True)
def _data():
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
    np.savez("tiny.npz", images=images)


def on_a_full_disk(*arguments):
    """Run `kgen` in a process whose files may grow to LIMIT bytes."""
    paths = os.pathsep.join(str(ROOT / folder) for folder in (".", "cli", "exports"))
    return subprocess.run(
        [sys.executable, "-m", "kgen_cli", *arguments],
        capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "PYTHONPATH": paths},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT)),
    )  # fmt: skip


def contents(folder):
    """Read every file of a folder, temporary ones as well."""
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_a_run_on_a_full_disk_loses_nothing_and_goes_on_when_there_is_room(kgen):
    assert kgen(*TRAIN, "--steps", "4").exit_code == 0
    before = contents("mine")
    # A checkpoint is due after the first step: the pictures of the epoch are not reached.
    full = on_a_full_disk(*TRAIN, "--steps", "6", "--resume", "--checkpoint-minutes", "0")
    assert full.returncode == 1
    assert full.stderr == (
        "Error: Cannot write mine/checkpoints/step-000000005.npz: File too large. "
        "Free some space or choose another folder.\n"
    )
    after = contents("mine")
    assert after.keys() == before.keys()
    changed = {path.name for path in before if before[path] != after[path]}
    assert changed == {"config.toml", "summary.json"}  # the new length, and how it went
    assert Run.open("mine").summary()["status"] == "failed"
    assert kgen(*TRAIN, "--steps", "6", "--resume").exit_code == 0
    newest, problems = checkpoint.newest(Run.open("mine").checkpoints)
    assert (newest.step, problems) == (6, [])


def test_a_drawing_on_a_full_disk_leaves_what_was_there(kgen):
    assert kgen(*TRAIN, "--steps", "4").exit_code == 0
    Path("kept").mkdir()
    Path("kept/grid.png").write_text("kept")
    full = on_a_full_disk("sample", "mine", "-n", "400", "--out", "kept/grid.png", "--force")
    assert (full.returncode, full.stdout) == (1, "")
    assert full.stderr == (
        "Error: Cannot write kept/grid.png: File too large. "
        "Free some space or choose another folder.\n"
    )
    assert contents("kept") == {Path("kept/grid.png"): b"kept"}
