"""The commands together on a real backend, with tiny models: train, sample, runs, resume."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from kgen.run import Run

pytestmark = pytest.mark.backend

ROOT = Path(__file__).parents[2]
BACKEND = keras.backend.backend()

# 40 pictures, 32 of them to train on: 4 steps of 8 in an epoch.
COMMON = ["--data", "tiny.npz", "--batch-size", "8", "--validation", "0.2", "--device", "cpu",
          "--grid", "4"]  # fmt: skip
TINY = {
    "gan": ["--network", "mlp", "--generator-widths", "8", "--discriminator-widths", "8"],
    "ae": ["--network", "mlp", "--encoder-widths", "8", "--decoder-widths", "8"],
    "vae": ["--network", "mlp", "--encoder-widths", "8", "--decoder-widths", "8"],
    "ddpm": ["--widths", "8,8", "--num-timesteps", "60", "--preview-steps", "2"],
}
DRAWINGS = {
    "gan": [[], ["--interpolate", "1", "2", "-n", "4"]],
    "ae": [["--reconstruct", "a.png", "b.png"], ["--interpolate", "a.png", "b.png"]],
    "vae": [[], ["--reconstruct", "a.png"], ["--variations", "a.png", "-n", "3"],
            ["--interpolate", "a.png", "b.png", "-n", "4"], ["--manifold", "-n", "9"]],
    "ddpm": [["--sampler", "ddpm", "-n", "2", "--num-steps", "6"],
             ["--trajectory", "-n", "2", "--num-steps", "4", "--eta", "0.5"]],
}  # fmt: skip


@pytest.fixture(autouse=True)
def _data():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
    np.savez("tiny.npz", images=images, labels=np.arange(40) % 4)
    for name, image in zip("ab", images, strict=False):
        Image.fromarray(image[..., 0]).save(f"{name}.png")


@pytest.mark.parametrize("family", TINY)
def test_family_trains_samples_is_listed_and_goes_on(kgen, family):
    result = kgen("train", family, *COMMON, *TINY[family], "--epochs", "2")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert "Finished 8 of 8 steps" in result.stdout

    [row] = json.loads(kgen("runs", "--json").stdout)
    run = Run.open(row["run"])
    assert (row["family"], row["status"], row["step"]) == (family, "finished", 8)
    assert (row["backend"], row["data"]) == (BACKEND, "tiny")
    assert row["metrics"]
    assert [int(line["epoch"]) for line in run.history()] == [1, 2]
    assert run.model_file.is_file()

    for options in DRAWINGS[family]:
        drawn = kgen("sample", family, *options)
        assert drawn.exit_code == 0, drawn.output
        for line in drawn.stdout.splitlines():
            with Image.open(line) as image:
                image.verify()

    again = kgen("train", family, "--resume", "--epochs", "3")
    assert again.exit_code == 0, again.output
    assert "Finished 12 of 12 steps" in again.stdout
    assert [int(line["epoch"]) for line in run.history()] == [1, 2, 3]


def test_dry_run_counts_without_training(kgen, tmp_path):
    result = kgen("train", "gan", *COMMON, *TINY["gan"], "--steps", "10", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "# steps:      4 per epoch, 10 in all, 3 epochs" in result.stdout
    assert f"{BACKEND} on cpu" in result.stdout
    assert not Path("runs").exists()


def test_same_seed_gives_the_same_pictures_and_another_others(kgen):
    assert kgen("train", "vae", *COMMON, *TINY["vae"], "--epochs", "1").exit_code == 0
    drawn = [
        Path(kgen("sample", "vae", "--seed", seed).stdout.strip()).read_bytes()
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--data", "nowhere"], "nowhere"),
        (["--data", "text.npz"], "text.npz"),
        (["--batch-size", "64"], "64"),
        (["--image-size", "10", "--network", "conv", "--decoder-widths", "8,8"], "10"),
        (["--device", "gpu"], "device='gpu' expects a GPU."),
        (["--channels", "2"], "channels"),
    ],
)
def test_wrong_input_is_one_line_and_leaves_no_run(fails, arguments, says):
    Path("text.npz").write_text("no arrays")
    assert says in fails("train", "vae", *COMMON, *TINY["vae"], *arguments, status=1)
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


def flipped(content):
    """Change bytes in the middle, as a bad disk does."""
    middle = len(content) // 2
    return (
        content[:middle]
        + bytes(255 - byte for byte in content[middle : middle + 64])
        + (content[middle + 64 :])
    )


def foreign(content):
    """Make a whole Keras file of a model that is not kgen's."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.save("foreign.keras")
    return Path("foreign.keras").read_bytes()


def test_damaged_model_is_one_line_that_names_it_and_the_checkpoint_is_left(kgen, fails):
    for family in ("ae", "vae"):
        assert kgen("train", family, *COMMON, *TINY[family], "--epochs", "1").exit_code == 0
    run = Run.open("vae")
    whole, other = run.model_file.read_bytes(), Run.open("ae").model_file.read_bytes()
    damaged = [whole[:1000], b"", b"text", flipped(whole)]
    for content in (*damaged, foreign(whole), other):
        run.model_file.write_bytes(content)
        line = fails("sample", "vae", status=1)
        said = "is not a whole Keras model" if content in damaged else "takes a vae model of kgen"
        assert line.startswith(f"{run.model_file} {said}")
        assert line.endswith("Remove it, and the run's newest checkpoint is used.")
    run.model_file.unlink()
    assert kgen("sample", "vae").exit_code == 0


def kgen_process(*arguments):
    """Start `kgen` as a user does, in a process of its own."""
    paths = os.pathsep.join(str(ROOT / folder) for folder in (".", "cli", "exports"))
    return subprocess.Popen(
        [sys.executable, "-m", "kgen_cli", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip


def test_ctrl_c_saves_says_how_to_resume_and_nothing_else(kgen):
    process = kgen_process(
        "train", "vae", *COMMON, *TINY["vae"], "--steps", "1000000", "--run", "mine"
    )
    try:
        deadline = time.monotonic() + 120
        while not Path("mine/history.csv").exists() and time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, errors) == (130, "")
    assert output.splitlines()[-1] == "  kgen train vae --resume --run mine"
    done = Run.open("mine").summary()
    assert done["status"] == "stopped"

    more = str(done["step"] + 2)
    process = kgen_process("train", "vae", "--resume", "--run", "mine", "--steps", more)
    output, errors = process.communicate(timeout=300)
    # No notes of a backend's either: not even of TensorFlow's, when Keras saves on another.
    assert (process.returncode, errors) == (0, "")
    assert f"resuming: step {done['step']} of {more}" in output
