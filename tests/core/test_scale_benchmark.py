"""The cost model of benchmarks/scale.py, and what it says a training step sends."""

import json
import math
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.scaling import ring

ROOT = Path(__file__).resolve().parents[2]
SLOW = ring.Link(name="slow", bandwidth=1e9, latency=1e-3)

COMPILE = """
import json, sys
from pathlib import Path
from kgen import backend, device
backend.select("jax")
device.setup(device="cpu")
import keras
from benchmarks.scaling import step
from kgen.training import prepare
from tests.core import tiny
keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))
CHANGES = {"ddpm": {"model__widths": [8]}}
found = {}
for family in ("gan", "vae", "ddpm"):
    setup = prepare(tiny.config(family, Path(sys.argv[1]), **CHANGES.get(family, {})))
    hlo = step.program(setup)
    found[family] = {
        "hlo": hlo,
        "collectives": step.collectives(hlo),
        "gradient_bytes": step.gradient_bytes(setup.model),
        "sizes": {
            name: [int(v.value.size) for v in variables]
            for name, variables in setup.model.optimized().items()
        },
    }
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def module_env():
    paths = [str(ROOT / part) for part in (".", "cli", "exports")]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "KERAS_BACKEND": "jax",
        # Level 0 compiles four times as fast; what is sent is decided before.
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0",
    }


@pytest.fixture(scope="module")
def compiled(tmp_path_factory, module_env):
    """What each family's step is on two devices, in a process that has two."""
    done = subprocess.run(
        [sys.executable, "-c", COMPILE, str(tmp_path_factory.mktemp("data"))],
        env=module_env, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("devices", [2, 3, 8])
def test_a_ring_that_sums_sends_the_messages_and_bytes_of_the_model(devices):
    rng = np.random.Generator(np.random.Philox(0))
    # One row a device, cut into as many chunks; whole numbers, so that sums are exact.
    held = rng.integers(0, 100, (devices, devices, 5)).astype(np.float32)
    wanted = held.sum(0)
    sent = messages = 0
    for turn in range(2 * (devices - 1)):
        # In the first n - 1 turns a neighbour adds what it gets, then it takes it over.
        moving = [(device, (device - turn) % devices) for device in range(devices)]
        parts = [(device, chunk, held[device, chunk].copy()) for device, chunk in moving]
        for device, chunk, part in parts:
            neighbour = (device + 1) % devices
            held[neighbour, chunk] = part + (turn < devices - 1) * held[neighbour, chunk]
        sent, messages = sent + parts[0][2].nbytes, messages + 1
    np.testing.assert_array_equal(held, np.broadcast_to(wanted, held.shape))
    assert sent == ring.volume(wanted.nbytes, devices)
    expected = 7 * messages * SLOW.latency + sent / SLOW.bandwidth
    assert ring.seconds(wanted.nbytes, 7, devices, SLOW) == pytest.approx(expected, rel=1e-12)


def test_costs_and_efficiencies_are_those_computed_by_hand():
    # 2 (4 - 1) / 4 of 1 GB over 1 GB/s, and 2 operations of 6 messages of a millisecond.
    assert ring.seconds(1e9, 2, 4, SLOW) == pytest.approx(1.5 + 0.012)
    assert ring.seconds(1e9, 2, 1, SLOW) == 0
    assert ring.weak_efficiency(3.0, 1.0) == 0.75
    # 8 s of one device are 1 s of eight; with 1 s of talking the eight are 4 times as fast.
    assert ring.strong_efficiency(8.0, 1.0, 8) == 0.5
    assert ring.strong_efficiency(8.0, 0.0, 8) == 1.0


@pytest.mark.parametrize(
    ("name", "gigabits"),
    # PCIe: 16 lanes of 16 GT/s less 2 bits of 130. NVLink: 18 links of 25 GB/s.
    [("NVLink 4", 3600), ("PCIe 4 x16", 252.06), ("400 Gbit/s", 400), ("100 Gbit/s", 100),
     ("25 Gbit/s", 25), ("10 Gbit/s", 10)],
)  # fmt: skip
def test_links_have_their_specified_bandwidth(name, gigabits):
    (link,) = [link for link in ring.LINKS if link.name == name]
    assert link.bandwidth * 8 / 1e9 == pytest.approx(gigabits, rel=1e-4)  # the digits written here


def reduced(hlo):
    """Sizes of the arrays that a program all-reduces: how many there are of each."""
    found: Counter[int] = Counter()
    for operands in re.findall(r" all-reduce\(([^)]*)\), channel_id", hlo):
        for name in re.findall(r"%[\w.-]+", operands):
            (shape,) = re.findall(rf"^\s+{re.escape(name)} = f32\[([\d,]*)\]", hlo, re.MULTILINE)
            found[math.prod(int(n) for n in shape.split(",") if n)] += 1
    return found


@pytest.mark.parametrize("family", ["vae", "ddpm"])
def test_a_step_on_two_devices_reduces_each_gradient_once_and_scalars(compiled, family):
    found = compiled[family]
    sizes, gradients = reduced(found["hlo"]), Counter(found["sizes"]["model"])
    assert not gradients - sizes
    assert set(sizes - gradients) <= {1}  # the losses
    assert found["gradient_bytes"] == 4 * sum(found["sizes"]["model"])
    scalars = (sizes - gradients).total()
    assert sum(size for _, size in found["collectives"]) == found["gradient_bytes"] + 4 * scalars
    assert {name for name, _ in found["collectives"]} == {"all-reduce"}


def test_a_gans_step_on_two_devices_reduces_the_gradients_of_both_players(compiled):
    found = compiled["gan"]
    sizes = reduced(found["hlo"])
    # XLA adds up what the discriminator learns of real, fake and moved pictures afterwards.
    parts = 3 * found["sizes"]["discriminator"] + found["sizes"]["generator"]
    assert not Counter(parts) - sizes
    # The rest is BatchNorm's means, 16 and 8 channels wide, and scalars.
    assert set(sizes - Counter(parts)) <= {1, 8, 16}
    assert found["gradient_bytes"] == 4 * sum(sum(s) for s in found["sizes"].values())
    assert sum(size for _, size in found["collectives"]) == 4 * sum(
        size * count for size, count in sizes.items()
    )


def test_the_program_prints_what_it_drew(module_env, tmp_path):
    command = [sys.executable, str(ROOT / "benchmarks" / "scale.py"), "--families", "vae",
               "--step-ms", "2", "--json", "--plot", str(tmp_path / "scale.png")]  # fmt: skip
    done = subprocess.run(command, env=module_env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    # The default VAE has about 461,000 weights, and its batch is 64: docs/scale.md.
    assert (found["batch_size"], found["gradient_bytes"]) == (64, 1_842_708)
    link = {link.name: link for link in ring.LINKS}["10 Gbit/s"]
    cost = 2 * 7 / 8 * found["reduced_bytes"] / 1.25e9 + 2 * 7 * link.latency
    eight = found["devices"].index(8)
    assert found["weak"]["10 Gbit/s"][eight] == pytest.approx(0.002 / (0.002 + cost))
    assert found["strong"]["10 Gbit/s"][eight] == pytest.approx(0.002 / (0.002 + 8 * cost))
    assert (tmp_path / "scale.png").read_bytes().startswith(b"\x89PNG")
