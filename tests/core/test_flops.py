"""benchmarks/flops.py counts what PyTorch's own counter sees of the same step."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COUNT = """
import json, sys
from pathlib import Path

from kgen import backend, device

backend.select("torch", device="cpu")
device.setup(device="cpu")
import keras
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import case, flops
from kgen import training
from tests.core import tiny

folder = Path(sys.argv[1])
counts = {}
configs = {
    name: case.configure(known, folder, 2, 1, 4) for name, known in case.CASES.items()
}
configs["gan, dropout, two turns"] = tiny.config(
    "gan", folder, model__dropout=0.5, model__discriminator_steps=2, model__gradient_penalty=0.5
)
configs["gan, relativistic"] = tiny.config("gan", folder, model__loss="relativistic")
# PyTorch counts the products of Muon, too, which are not of the networks.
adam = {"optimizer__name": "adam"}
configs["vae, N(0, I)"] = tiny.config("vae", folder, model__prior="normal", **adam)
for name, config in configs.items():
    setup = training.prepare(config)
    batch = tuple(map(keras.ops.convert_to_tensor, setup.batches.batch(0, 0)))
    setup.model.train_step(batch)  # is recorded, which a counter sees too
    with FlopCounterMode(display=False) as counter:
        setup.model.train_step(batch)
    counts[name] = flops.per_picture(setup.model) * len(batch[0]), counter.get_total_flops()

z = keras.Input((3, 5, 7))
x = keras.layers.Conv2DTranspose(6, 4, strides=2, padding="same")(z)
x = keras.layers.Conv2D(4, 3, strides=2)(x)
x = keras.layers.Add()([keras.layers.Conv2D(4, 1)(x), x])
network = keras.Model(z, keras.layers.Dense(2)(x))
for differentiable in (False, True):
    for trained in (False, True):
        given = keras.random.normal((2, 3, 5, 7)).requires_grad_(differentiable)
        wanted = [v.value for v in network.trainable_variables] if trained else []
        wanted += [given] if differentiable else []
        with FlopCounterMode(display=False) as counter:
            total = network(given).sum()
            if wanted:
                total.backward(inputs=wanted)
        ours = flops.work(network, trained=trained, differentiable=differentiable)
        name = f"layers, trained={trained}, differentiable={differentiable}"
        counts[name] = 2 * ours.both, counter.get_total_flops()
print(json.dumps(counts))
"""


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    """Count every step in a process of its own: PyTorch is the oracle, whoever else is tested."""
    root = Path(__file__).resolve().parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", COUNT, str(tmp_path_factory.mktemp("flops"))],
        env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", [
    "gan", "vae", "vae-notes", "ddpm", "gan, dropout, two turns", "gan, relativistic",
    "vae, N(0, I)",
    *(
        f"layers, trained={trained}, differentiable={differentiable}"
        for trained in (False, True) for differentiable in (False, True)
    ),
])  # fmt: skip
def test_a_steps_flops_are_those_that_pytorch_counts(counts, name):
    ours, theirs = counts[name]
    # Both count products only, and both count integers.
    assert ours == theirs > 0


@pytest.mark.backend
def test_a_matrix_that_is_not_counted_is_an_error():
    import keras

    from benchmarks import flops

    words = keras.Input((4,), dtype="int32")
    network = keras.Model(words, keras.layers.Embedding(3, 2)(words))
    with pytest.raises(TypeError, match="Embedding"):
        flops.work(network)
