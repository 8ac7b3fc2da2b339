"""A run that is killed with SIGKILL at any moment resumes, and ends with the same bits."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from kgen import checkpoint
from kgen.run import Run
from tests.core import tiny

pytestmark = pytest.mark.backend

SCRIPT = """
import sys
from pathlib import Path
from kgen import backend, device
from kgen.run import Run
run = Run.open(sys.argv[1])
backend.select(deterministic=True)
device.setup(device="cpu", deterministic=True)
from kgen.training import train
train(run, resume=True)
"""


def start(run, subprocess_env):
    """Begin or go on with a run in a process of its own."""
    env = subprocess_env | {"KERAS_BACKEND": os.environ["KERAS_BACKEND"]}
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(run.path)], env=env)


def kill_between_steps(run, subprocess_env, moment):
    """Start a run, and kill it `moment` seconds after its next checkpoint has appeared."""
    before = checkpoint.paths(run.checkpoints)[-1:]
    process = start(run, subprocess_env)
    deadline = time.monotonic() + 120
    while checkpoint.paths(run.checkpoints)[-1:] == before and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    time.sleep(moment)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)


def test_a_run_killed_at_random_moments_ends_with_the_same_bits(tmp_path, subprocess_env):
    # A checkpoint after every step, so that many kills fall into the writing of one.
    often = {"training__checkpoint_minutes": 0.0, "training__steps": 40}
    whole = tiny.new_run("gan", tmp_path, "whole", **often)
    assert start(whole, subprocess_env).wait(timeout=300) == 0
    killed = tiny.new_run("gan", tmp_path, "killed", **often)
    rng = random.Random(0)
    for _ in range(2):
        kill_between_steps(killed, subprocess_env, rng.uniform(0.0, 0.05))
        assert Run.open(killed.path).summary()["status"] == "interrupted"
    assert start(killed, subprocess_env).wait(timeout=300) == 0
    assert killed.summary()["status"] == "finished"
    expected, _ = checkpoint.newest(whole.checkpoints)
    received, problems = checkpoint.newest(killed.checkpoints)
    assert not problems
    assert received.step == expected.step == 40
    for mine, theirs in zip(received.arrays, expected.arrays, strict=True):
        np.testing.assert_array_equal(mine, theirs)
