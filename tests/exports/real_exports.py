"""Real bundles of tiny models, exported once for all tests that look at them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kgen_exports.divergence import ACTIVATIONS_NAME
from kgen_exports.export import Exported, export
from kgen_exports.job import DEFAULT_PRECISIONS, PARTS, Job
from kgen_exports.staging import STAGING

WRITER = Path(__file__).parent / "finished_runs.py"
SAMPLER = {"num_steps": 4}


@pytest.fixture(scope="session")
def finished_runs(tmp_path_factory) -> Path:
    """Return a folder with finished runs: gan/, ae/, vae/, vae_flow/, ddpm/, gan_mlp/, vae_mlp/.

    Keras writes them in a process of its own: this one stays without a backend.
    """
    folder = tmp_path_factory.mktemp("runs")
    root = WRITER.parents[2]
    paths = [str(root / part) for part in (".", "cli", "exports")]
    env = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    subprocess.run(
        [sys.executable, str(WRITER), str(folder)],
        env={**env, "PYTHONPATH": os.pathsep.join(paths)}, check=True, timeout=300,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def exported(finished_runs, tmp_path_factory):
    """Return a function that exports a finished run whole, in every precision: name -> Exported.

    Each one is exported once, so nobody may change a bundle: copy it first.
    """
    made: dict[str, Exported] = {}

    def get(family: str) -> Exported:
        if family not in made:
            out = tmp_path_factory.mktemp("bundles") / family
            kept = out.with_name(f"{family}.npz")

            def say(line: str) -> None:
                """Keep what Keras's layers put out, which no bundle has."""
                if line.startswith("checking") and not kept.exists():
                    (found,) = out.parent.glob(f"{STAGING}*/{ACTIVATIONS_NAME}")
                    shutil.copy(found, kept)

            kind = family.partition("_")[0]
            made[family] = export(job(kind, finished_runs / family), out, say=say)
        return made[family]

    return get


@pytest.fixture(scope="session")
def activations(exported):
    """Return a function to what Keras's layers make of the first golden case: family, part."""

    def get(family: str, part: str) -> dict[str, np.ndarray]:
        with np.load(exported(family).path.with_name(f"{family}.npz")) as arrays:
            names = [name for name in arrays.files if name.startswith(f"{part}/")]
            return {name.removeprefix(f"{part}/"): arrays[name] for name in names}

    return get


def job(family: str, run: Path, **changes) -> Job:
    """Ask for all parts of a tiny run, in every precision that its family has."""
    static = ("int8-static",) if family != "ddpm" else ()
    options = {
        "precisions": (*DEFAULT_PRECISIONS, *static),
        "parts": PARTS[family],
        "sampler": SAMPLER if family == "ddpm" else {},
    }
    return Job(run=str(run), family=family, **{**options, **changes})
