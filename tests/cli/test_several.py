"""`kgen train` over several devices and processes, as it is started on them."""

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kgen import checkpoint
from kgen.run import Run
from tests.core import tiny

TRAIN = ("train", "gan", "--backend", "jax", "--device", "cpu", "--run", "run")
STEPS = 40
GLOO = "[Gloo] Rank is connected to peer ranks. Expected number of connected peer ranks is :"
"""What JAX's transport prints, with numbers; lines of its threads come out mixed."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def words(text):
    return set(re.findall("[A-Za-z]+", text))


class Launcher:
    """Starts `kgen` in a folder, as many processes of it as are wanted, each with two devices."""

    def __init__(self, folder, env):
        self.folder = folder
        flags = "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0"
        self.env = env | {"XLA_FLAGS": flags}
        options = tiny.config("gan", folder, training__checkpoint_minutes=0.0,
                              training__steps=STEPS, training__sample_epochs=1000)  # fmt: skip
        (folder / "config.toml").write_text(options.to_toml())

    def start(self, *arguments, **env):
        return subprocess.Popen(
            [sys.executable, "-m", "kgen_cli", *map(str, arguments)],
            cwd=self.folder, env=self.env | env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def start_pair(self, *arguments):
        """Start two processes that train together, told who they are by the environment."""
        told = {"KGEN_COORDINATOR": f"127.0.0.1:{free_port()}", "KGEN_NUM_PROCESSES": "2"}
        return [self.start(*arguments, KGEN_PROCESS_ID=str(i), **told) for i in range(2)]

    def end(self, process):
        """Wait for a process; return its status, its output and its errors."""
        output, errors = process.communicate(timeout=300)
        return process.returncode, output, errors

    def await_checkpoint(self, processes, after=-1):
        """Wait until there is a checkpoint of a later step; return the newest step."""
        deadline = time.monotonic() + 240
        while True:
            found = checkpoint.paths(self.folder / "run" / "checkpoints")
            if found and (step := int(found[-1].stem.removeprefix("step-"))) > after:
                return step
            if any(process.poll() is not None for process in processes):
                pytest.fail(str([self.end(process) for process in processes]))
            assert time.monotonic() < deadline
            time.sleep(0.005)


@pytest.fixture
def launcher(tmp_path, subprocess_env):
    return Launcher(tmp_path, subprocess_env)


def test_a_run_of_two_processes_stops_dies_and_goes_on_to_the_same_end(launcher, tmp_path):
    new = (*TRAIN, "--config", "config.toml")
    pair = launcher.start_pair(*new)
    launcher.await_checkpoint(pair)
    pair[1].send_signal(signal.SIGTERM)  # one is asked to stop, and both do, at the same step
    (status, output, _), (other_status, other_output, _) = map(launcher.end, pair)
    assert (status, other_status) == (130, 130)
    assert "computes:   jax on 4 x cpu in 2 processes, float32" in output
    (stopped,) = re.findall(r"Stopped and saved after (\d+) of 40 steps", output)
    assert words(other_output) <= words(GLOO)
    run = Run.open(tmp_path / "run")
    assert run.summary()["status"] == "stopped"
    assert checkpoint.newest(run.checkpoints)[0].step == int(stopped) < STEPS

    pair = launcher.start_pair(*TRAIN, "--resume")
    launcher.await_checkpoint(pair, after=int(stopped))
    pair[1].kill()
    killed = time.monotonic()
    status, _, errors = launcher.end(pair[0])
    # A second is promised, and a busy machine gets more.
    assert time.monotonic() - killed < 15
    assert status == 1
    lost = f"Process 1 ({socket.gethostname()}, pid {pair[1].pid}) is gone: its connection closed."
    expected = f"Error: {lost} Go on from the last checkpoint with the same command and --resume."
    assert errors.splitlines()[-1] == expected
    assert "Traceback" not in errors
    launcher.end(pair[1])
    assert run.summary()["status"] == "interrupted"

    # What is left goes on alone, to where a run that nothing happened to ends.
    status, _, errors = launcher.end(launcher.start(*TRAIN, "--resume"))
    assert status == 0, errors
    whole = ("--run", "whole", "--config", "config.toml")
    status, _, errors = launcher.end(launcher.start(*TRAIN, *whole))
    assert status == 0, errors
    assert run.summary()["status"] == "finished"
    assert run.model_file.is_file()
    ends = [checkpoint.newest(tmp_path / n / "checkpoints")[0].arrays for n in ("run", "whole")]
    for mine, theirs in zip(*ends, strict=True):
        # Sums over four devices, then one, differ by 1e-7; forty steps of Adam multiply that.
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-3)


def test_what_ends_one_process_ends_the_other_with_the_reason(launcher, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("kept")
    pair = launcher.start_pair(*TRAIN, "--config", "config.toml")
    (status, _, errors), (other_status, _, other_errors) = map(launcher.end, pair)
    assert (status, other_status) == (1, 1)
    reason = "A new run needs an empty folder. Received: run, which is not empty."
    assert errors.splitlines()[-1].startswith(f"Error: {reason}")
    assert f"Process 0 ({socket.gethostname()}, pid {pair[0].pid}) failed: {reason}" in other_errors
    assert (tmp_path / "run" / "mine.txt").read_text() == "kept"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--devices", "3"), "JAX was to compute on 3 devices; here: 2. Received: devices=3."),
        (
            ("--devices", "2", "--batch-size", "9"),
            "batch_size takes a multiple of the number of devices, 2. Received: batch_size=9.",
        ),
    ],
)
def test_devices_that_do_not_fit_are_one_clear_line(launcher, tmp_path, options, words):
    status, _, errors = launcher.end(launcher.start(*TRAIN, "--config", "config.toml", *options))
    assert status == 1
    assert errors.startswith(f"Error: {words}")
    assert errors.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
@pytest.mark.parametrize(
    ("options", "received"),
    [
        (("--devices", "2"), "devices=2, processes=1"),
        (("--devices", "all"), "devices=all, processes=1"),
        (
            ("--coordinator", "127.0.0.1:1234", "--num-processes", "2", "--process-id", "0"),
            "devices=1, processes=2",
        ),
    ],
)
def test_other_backends_refuse_more_than_one_device_at_once(fails, backend, options, received,
                                                            monkeypatch):  # fmt: skip
    monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.setattr("kgen.backend.current", lambda: None)  # other tests may have imported it
    error = fails("train", "gan", *options, status=1)
    assert error.startswith(
        f"backend={backend!r} computes on one device in one process. Received: {received}. "
        "Use --backend jax for more"
    )
    assert error.endswith(", or --num-processes 1 to compute alone.") == ("processes=2" in received)
    assert not Path("runs").exists()


@pytest.fixture
def jax_backend(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setattr("kgen.backend.current", lambda: None)  # other tests may have imported it


def pair_options(port, process, *more):
    place = f"127.0.0.1:{port}"
    return ("--coordinator", place, "--num-processes", 2, "--process-id", process, *more)


@pytest.mark.usefixtures("jax_backend")
def test_a_missing_process_is_named_after_the_time_to_wait(fails):
    port = free_port()
    error = fails("train", "gan", *pair_options(port, 0, "--join-timeout", 1), status=1)
    assert error.startswith("Expected 2 processes within 1 s, but of process 1 nothing was heard;")
    assert f"port {port}" in error


@pytest.mark.usefixtures("jax_backend")
def test_a_coordinator_that_does_not_answer_is_named(fails):
    port = free_port()
    error = fails("train", "gan", *pair_options(port, 1, "--join-timeout", 1), status=1)
    assert error.startswith(f"No answer from 127.0.0.1:{port} within 1 s (Connection refused);")


@pytest.mark.usefixtures("jax_backend")
def test_a_taken_port_is_named(fails):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        error = fails("train", "gan", *pair_options(port, 0), status=1)
    assert error.startswith(f"Port {port} of this machine is taken,")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--num-processes", "2"), "Expected --coordinator HOST:PORT (process 0's machine and a"),
        (("--coordinator", "here", "--num-processes", "2", "--process-id", "0"),
         "Expected HOST:PORT with a port from 1 to 65535, such as node1:29400 or [::1]:29400;"),
        (("--coordinator", "a:1", "--num-processes", "2", "--process-id", "2"),
         "Expected a process from 0 to 1, since --num-processes=2; received --process-id=2."),
    ],
)  # fmt: skip
def test_incomplete_options_are_one_clear_line(fails, options, words):
    assert words in fails("train", "gan", *options, status=1)


@pytest.mark.parametrize(
    "options", [("--devices", "0"), ("--devices", "many"), ("--join-timeout", "0")]
)
def test_numbers_out_of_range_are_refused(fails, options):
    assert options[0] in fails("train", "gan", *options, status=2)
