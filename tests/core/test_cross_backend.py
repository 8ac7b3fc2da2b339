"""A run begun on one backend goes on with another, optimizers' state and all."""

import subprocess
import sys

import numpy as np
import pytest

from kgen import checkpoint
from tests.core import tiny

SCRIPT = """
import sys
from kgen import backend, device
from kgen.run import Run
backend.select(sys.argv[2])
device.setup(device="cpu")
from kgen import checkpoint
from kgen.training import prepare, train
run = Run.open(sys.argv[1])
if sys.argv[3] == "train":
    train(run, resume=True)
else:
    model = prepare(run.config).model
    checkpoint.restore(model, checkpoint.newest(run.checkpoints)[0])
    checkpoint.save(run.path / "copy", model, {"step": 10})
"""


def run_on(backend, run, action, subprocess_env):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(run.path), backend, action],
        env=subprocess_env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture
def first_half(tmp_path):
    """A GAN run of 20 steps whose configuration says 10 at first."""
    return tiny.new_run("gan", tmp_path, optimizer__learning_rate=1e-3)


def test_a_run_goes_round_the_backends(first_half, subprocess_env):
    run = first_half
    run_on("tensorflow", run, "train", subprocess_env)
    begun, _ = checkpoint.newest(run.checkpoints)
    assert begun.header["backend"] == "tensorflow"
    for backend in ("jax", "torch"):
        # Restored and saved again elsewhere, every number is the same: two optimizers' moments,
        # weight averages and the states of the seed generators included.
        run_on(backend, run, "copy", subprocess_env)
        copied, _ = checkpoint.newest(run.path / "copy")
        for mine, theirs in zip(copied.arrays, begun.arrays, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    longer = tiny.config("gan", run.path.parent, training__steps=20, optimizer__learning_rate=1e-3)
    run = run.replace_config(longer)
    run_on("torch", run, "train", subprocess_env)
    ended, _ = checkpoint.newest(run.checkpoints)
    assert (ended.step, ended.header["backend"]) == (20, "torch")
    assert all(np.isfinite(array).all() for array in ended.arrays)
    assert run.summary()["status"] == "finished"
