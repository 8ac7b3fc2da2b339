"""A training over several devices, in one process or in several, is the same training.

The devices are virtual ones of the CPU, the processes talk over the loopback. Float32 sums are
taken in another order on every number of devices: 1e-7 relative in a step. A few steps of Adam,
which divides each gradient by its own size, make of that up to 1e-6 in losses of order 1.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kgen import checkpoint
from tests.core import tiny

WORKER = Path(__file__).with_name("spread_worker.py")
FAMILIES = ("gan", "vae", "ddpm")
LAST = 4
NETWORKS = {"vae": {"model__network": "mlp"}}  # which compile sooner; the GAN's is convolutional


class Cluster:
    """Runs jobs of the worker in one process, or in several.

    Args:
        folder: where jobs leave what comes out.
        env: of every process.
    """

    def __init__(self, folder, env):
        self.folder, self.env = folder, env

    def job(self, family, name, devices, *, first=0, last=LAST, since=None, look=False, **options):
        """Describe steps `first` to `last` of a family, beginning where `since` ended."""
        config = tiny.config(family, self.folder, **NETWORKS.get(family, {}), **options)
        return {
            "config": config.to_mapping(),
            "look": look,
            "devices": devices,
            "steps": [first, last],
            "since": since and str(self.folder / since),
            "out": str(self.folder / f"{family} {name}"),
        }

    def run(self, jobs, devices, processes=1):
        """Do the jobs in so many processes that see so many devices each."""
        # Compiling is most of the time: the code may be slow.
        flags = f"--xla_force_host_platform_device_count={devices} "
        env = self.env | {"XLA_FLAGS": flags + "--xla_backend_optimization_level=0"}
        env |= {
            "KGEN_COORDINATOR": f"127.0.0.1:{free_port()}",
            "KGEN_NUM_PROCESSES": f"{processes}",
        }
        started = [
            subprocess.Popen(
                [sys.executable, str(WORKER), json.dumps(jobs)],
                env=env | {"KGEN_PROCESS_ID": f"{i}"},
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )
            for i in range(processes)
        ]  # fmt: skip
        for process in started:
            output, _ = process.communicate(timeout=600)
            assert process.returncode == 0, output

    def losses(self, family, name):
        """Read a job's losses, by step."""
        return json.loads((self.folder / f"{family} {name}" / "losses.json").read_text())

    def variables(self, family, name):
        """Read all variables that a job left, with their names."""
        found = checkpoint.newest(self.folder / f"{family} {name}")[0]
        return list(zip(found.header["paths"], found.arrays, strict=True))

    def look(self, family, name):
        """Read a job's losses on held-out pictures, and the pictures that it drew."""
        out = self.folder / f"{family} {name}"
        return json.loads((out / "held_out.json").read_text()), np.load(out / "drawn.npy")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Let every family take its steps in every way."""
    root = Path(__file__).resolve().parents[2]
    env = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    made = Cluster(tmp_path_factory.mktemp("spread"), env | {"PYTHONPATH": str(root)})
    job = made.job
    made.run(
        [job(family, "2x2", 2, look=True) for family in FAMILIES]
        + [job("gan", "half on 2x2", 2, last=2)],
        devices=2,
        processes=2,
    )
    made.run(
        [job(family, f"{n}", n, look=n != 2) for family in FAMILIES for n in (1, 2, 4)]
        + [
            job("vae", "4 in parts", 4, training__accumulate=2),
            job("gan", "half on 4", 4, last=2),
            job("gan", "half on 1", 1, last=2),
            job("gan", "4 then 1", 1, first=2, since="gan half on 4"),
            job("gan", "1 then 4", 4, first=2, since="gan half on 1"),
            job("gan", "2x2 then 1", 1, first=2, since="gan half on 2x2"),
        ],
        devices=4,
    )
    return made


@pytest.mark.parametrize("name", ["2", "4", "2x2"])
@pytest.mark.parametrize("family", FAMILIES)
def test_no_loss_depends_on_the_number_of_devices(cluster, family, name):
    check_losses(cluster.losses(family, name), cluster.losses(family, "1"))


@pytest.mark.parametrize("name", ["2", "4", "2x2"])
@pytest.mark.parametrize("family", FAMILIES)
def test_no_variable_depends_on_the_number_of_devices(cluster, family, name):
    check_variables(cluster.variables(family, name), cluster.variables(family, "1"))


@pytest.mark.parametrize("name", ["4", "2x2"])
@pytest.mark.parametrize("family", FAMILIES)
def test_no_evaluation_or_picture_depends_on_the_number_of_devices(cluster, family, name):
    held_out, drawn = cluster.look(family, name)
    expected, pictures = cluster.look(family, "1")
    check_losses([held_out], [expected])
    # A grey level may be rounded the other way.
    assert np.abs(drawn.astype(int) - pictures.astype(int)).max() <= 1


def test_a_batch_in_parts_over_several_devices_trains_as_one_that_is_whole(cluster):
    check_losses(cluster.losses("vae", "4 in parts"), cluster.losses("vae", "1"))
    check_variables(cluster.variables("vae", "4 in parts"), cluster.variables("vae", "1"))


@pytest.mark.parametrize("name", ["4 then 1", "1 then 4", "2x2 then 1"])
def test_a_checkpoint_goes_on_over_another_number_of_devices(cluster, name):
    check_losses(cluster.losses("gan", name), cluster.losses("gan", "1")[2:])
    check_variables(cluster.variables("gan", name), cluster.variables("gan", "1"))


def check_losses(received, expected):
    for mine, theirs in zip(received, expected, strict=True):
        assert mine == pytest.approx(theirs, rel=3e-6, abs=3e-6)


def check_variables(received, expected):
    for (name, mine), (_, theirs) in zip(received, expected, strict=True):
        # Optimizer states are of the size of squared gradients, some of them large.
        size = max(1.0, float(np.abs(theirs).max()))
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-5 * size, err_msg=name)
