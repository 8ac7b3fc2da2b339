"""The command line in this process, in an empty folder, and fakes for what needs Keras."""

import json
import logging
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kgen import run_config
from kgen.report import Plan, Result
from kgen.run import Run
from kgen_cli import main


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    """Run every test where it can leave files; no test inherits another's settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("KGEN_RUNS", "TERMINAL_WIDTH", "FORCE_COLOR", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def kgen():
    """Run `kgen ARGUMENTS` in this process and return its result."""

    def run(*arguments):
        return CliRunner().invoke(main.app, [str(a) for a in arguments], prog_name="kgen")

    return run


@pytest.fixture
def fails(kgen):
    """Run `kgen ARGUMENTS`, check that it ends as errors must, and return the line."""

    def run(*arguments, status):
        result = kgen(*arguments)
        assert result.exit_code == status, result.output
        assert result.stdout == ""
        assert result.stderr.startswith("Error: ")
        assert result.stderr.endswith("\n")
        assert result.stderr.count("\n") == 1, result.stderr
        return result.stderr.removeprefix("Error: ").strip()

    return run


class FakeTraining(types.ModuleType):
    """Stands in for kgen.training: notes what it is asked, and writes no weights."""

    def __init__(self):
        super().__init__("kgen.training")
        self.calls = []
        self.status = "finished"
        self.error = None

    def plan(self):
        return Plan(
            data="embedded", licence="MIT", image_shape=(28, 28, 1), train_images=1800,
            validation_images=200, skipped=("a.png: no picture",), steps_per_epoch=28,
            total_steps=1680, parameters={"generator": 1_000_000, "discriminator": 234_567},
            memory_bytes=412_000_000, resident_bytes=800_000_000, ema_decay=0.99,
            device="tensorflow on cpu, float32",
        )  # fmt: skip

    def prepare(self, config, reporter=None):
        self.calls.append(("prepare", config))
        return types.SimpleNamespace(plan=self.plan())

    def train(self, run, *, resume=False, reporter=None):
        self.calls.append(("train", run, resume))
        if self.error is not None:
            raise self.error
        reporter.started(self.plan(), 0)
        row = {"epoch": 60, "step": 1680, "d_loss": 1.25, "g_loss": 0.75, "images_per_second": 760}
        reporter.epoch_ended(row)
        return Result(status=self.status, step=1680, total_steps=1680, seconds=125.0)


@pytest.fixture
def training(monkeypatch):
    """Replace training, and the start of a backend, by fakes that share a list of calls."""
    fake = FakeTraining()
    monkeypatch.setitem(sys.modules, "kgen.training", fake)
    monkeypatch.setattr(
        "kgen_cli.session.start", lambda **options: fake.calls.append(("start", options))
    )
    return fake


class FakeModel:
    """Draws grey levels that tell what was asked for."""

    image_shape = (8, 8, 1)

    def __init__(self, family):
        self.family = family
        self.calls = []

    def _pictures(self, call, count, **options):
        self.calls.append((call, count, options))
        return np.arange(count * 64).astype(np.uint8).reshape(count, 8, 8, 1)

    def generate(self, n, *, seed=0, progress=None, **options):
        progress(n, n)
        return self._pictures("generate", n, seed=seed, **options)

    def trajectory(self, n, frames, *, seed=0, progress=None, **options):
        progress(n, n)
        drawn = self._pictures("trajectory", n, seed=seed, frames=frames, **options)
        return np.stack([drawn + np.uint8(frame) for frame in range(frames)])

    def reconstruct(self, images):
        return self._pictures("reconstruct", len(images))

    def interpolate(self, a, b, steps):
        return self._pictures("interpolate", steps, ends=(a, b))

    def variations(self, image, n, seed=0):
        return self._pictures("variations", n, seed=seed, image=image)

    def manifold(self, side):
        return self._pictures("manifold", side * side)


@pytest.fixture
def trained(monkeypatch):
    """Make a run of a family with a fake model, and return the run and the model."""
    models = types.ModuleType("kgen.models")
    monkeypatch.setitem(sys.modules, "kgen.models", models)
    monkeypatch.setattr("kgen_cli.session.start", lambda **options: models.started.append(options))
    models.started = []
    models.weights_hash = lambda opened: "0" * 64

    def make(family, **overrides):
        run = _make_run(f"{family}-run", family, **overrides)
        model = FakeModel(family)
        model.started = models.started
        models.load = lambda opened: model if opened.path == run.path else None
        return run, model

    return make


@pytest.fixture
def make_run():
    """Return the function that makes the folder of a run."""
    return _make_run


def _make_run(name, family="gan", summary=None, **overrides):
    """Make the folder of a run under runs/, with dots in override names written as `__`."""
    named = {key.replace("__", "."): value for key, value in overrides.items()}
    run = Run.create(run_config.resolve(family, overrides=named), path=Path("runs") / name)
    if summary is not None:
        run.summary_file.write_text(json.dumps(summary))
    return run
