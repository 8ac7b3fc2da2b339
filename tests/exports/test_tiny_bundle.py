"""The bundle that other tests stand on is one, and needs no Keras."""

import subprocess
import sys

import numpy as np
import pytest

from tests.exports import tiny_bundle

FILES = {
    "gan": {"generator": 6},
    "vae": {"decoder": 6, "encoder": 6},
    "ddpm": {"denoiser": 4, "sampler": 4},
}


@pytest.mark.parametrize(("kind", "eta"), [("gan", 0.0), ("vae", 0.0), ("ddpm", 0.0), ("ddpm", 1)])
def test_every_file_passes_the_proof_and_draws_the_golden_pictures(kind, eta, tmp_path):
    bundle = tiny_bundle.make(tmp_path, kind, eta=eta)
    assert {n: len(p.files) for n, p in bundle.manifest.parts.items()} == FILES[kind]
    drawing = {"gan": "generator", "vae": "decoder", "ddpm": "sampler"}[kind]
    expected = bundle.pictures(bundle.golden()[f"{drawing}/out/image"])
    # Float32 against float64 may round a pixel that lies between two bytes to the other.
    drawn = bundle.generate(8, seed=7).astype(int)
    assert np.abs(drawn - expected).max() <= 1
    assert expected.std() > 10


def test_it_is_made_without_keras(tmp_path, subprocess_env):
    code = (
        "import sys, pathlib; from tests.exports.tiny_bundle import make; "
        f"make(pathlib.Path({str(tmp_path)!r}), 'ddpm'); "
        "print({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=subprocess_env, capture_output=True, text=True, timeout=120)
    assert (done.stdout.strip(), done.stderr) == ("set()", "")
