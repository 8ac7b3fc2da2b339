"""A training writes what it promises, stops when asked, and goes on as if it had not stopped."""

import json
import os
import signal

import keras
import numpy as np
import pytest
from keras import ops

from kgen import checkpoint, device, models
from kgen.errors import KgenError
from kgen.report import Reporter
from kgen.run import Run
from kgen.step import engine
from kgen.training import prepare, segments, train
from tests.core import tiny

pytestmark = pytest.mark.backend

FAMILIES = ("gan", "ae", "vae", "ddpm")


class StopAt(Reporter):
    """Ask for a stop by a signal once training has begun, at a given step."""

    def __init__(self, signal_number, monkeypatch, step):
        from kgen import monitor

        monkeypatch.setattr(monitor, "REPORT_SECONDS", -1.0)
        self.signal_number, self.step = signal_number, step

    def stepped(self, step, epoch, metrics, images_per_second):
        if step == self.step:
            os.kill(os.getpid(), self.signal_number)


def weights(run):
    """Read all variables of a finished run's last checkpoint, optimizers included."""
    found, _ = checkpoint.newest(run.checkpoints)
    return found.arrays


def test_segments_cover_every_step_once():
    assert list(segments(0, 5, 5)) == [(0, 0, 5)]
    assert list(segments(3, 12, 5)) == [(0, 3, 2), (1, 0, 5), (2, 0, 2)]
    assert list(segments(10, 10, 5)) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_a_run_folder_holds_what_it_promises(family, tmp_path):
    run = tiny.new_run(family, tmp_path)
    result = train(run)
    assert (result.status, result.step) == ("finished", 10)
    summary = run.summary()
    assert summary["status"] == "finished"
    assert summary["step"] == 10
    assert summary["backend"] == keras.backend.backend()
    assert all(np.isfinite(list(summary["metrics"].values())))
    assert [row["step"] for row in run.history()] == [5, 10]
    assert run.curves_file.is_file()
    assert (run.samples / "epoch-0001.png").is_file()
    assert not list(tmp_path.rglob(".tmp-*"))
    model = models.load(run)
    images = model.generate(3, seed=1)
    assert images.shape == (3, 16, 16, 1)
    assert images.dtype == np.uint8


@pytest.fixture
def deterministic():
    """Switch the backend's own determinism on; it stays on for the process."""
    device.setup(device="cpu", deterministic=True)


@pytest.mark.usefixtures("deterministic")
@pytest.mark.parametrize("family", FAMILIES)
def test_a_stopped_and_resumed_run_ends_with_the_same_bits(family, tmp_path, monkeypatch):
    whole = tiny.new_run(family, tmp_path, "whole")
    train(whole)
    parts = tiny.new_run(family, tmp_path, "parts")
    # Step 3 is inside the first epoch: resuming has to find its place in the data, too.
    stopped = train(parts, reporter=StopAt(signal.SIGTERM, monkeypatch, 3))
    assert (stopped.status, stopped.step) == ("stopped", 3)
    assert parts.summary()["status"] == "stopped"
    finished = train(Run.open(parts.path), resume=True)
    assert (finished.status, finished.step) == ("finished", 10)
    mine, theirs = (np.concatenate([a.ravel() for a in weights(r)]) for r in (parts, whole))
    if keras.backend.backend() == "tensorflow":
        # Late in a long process TensorFlow's sums differ by rounding (4e-8 seen) even in its
        # deterministic mode, and Adam can make a step of it; test_kill.py compares the bits.
        assert np.quantile(np.abs(mine - theirs), 0.99) < 1e-5
    else:
        np.testing.assert_array_equal(mine, theirs)
    assert [row["step"] for row in parts.history()] == [5, 10]


def test_ctrl_c_finishes_the_step_and_saves(tmp_path, monkeypatch):
    run = tiny.new_run("vae", tmp_path)
    before = signal.getsignal(signal.SIGINT)
    result = train(run, reporter=StopAt(signal.SIGINT, monkeypatch, 4))
    assert (result.status, result.step) == ("stopped", 4)
    assert checkpoint.newest(run.checkpoints)[0].step == 4
    assert signal.getsignal(signal.SIGINT) is before


def test_an_unfinished_run_draws_from_its_checkpoint(tmp_path, monkeypatch):
    run = tiny.new_run("gan", tmp_path)
    train(run, reporter=StopAt(signal.SIGTERM, monkeypatch, 2))
    assert models.load(run).generate(2).shape == (2, 16, 16, 1)


def test_a_broken_checkpoint_is_named_and_the_one_before_used(tmp_path, monkeypatch):
    run = tiny.new_run("vae", tmp_path, training__checkpoint_minutes=0.0)
    train(run, reporter=StopAt(signal.SIGTERM, monkeypatch, 4))
    newest = checkpoint.paths(run.checkpoints)[-1]
    newest.write_bytes(newest.read_bytes()[:-200])
    said = []
    reporter = Reporter()
    reporter.message = said.append
    result = train(run, resume=True, reporter=reporter)
    assert result.status == "finished"
    assert any(newest.name in text for text in said)


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_step(tmp_path):
    run = tiny.new_run(
        "vae", tmp_path, optimizer__learning_rate=10.0, training__checkpoint_minutes=0.0,
        optimizer__name="sgd", training__steps=200,
    )  # fmt: skip
    with pytest.raises(KgenError, match=r"stopped being finite at step (\d+)") as error:
        train(run)
    kept, _ = checkpoint.newest(run.checkpoints)
    assert kept is None or all(np.isfinite(array).all() for array in kept.arrays)
    assert run.summary()["status"] == "failed"
    if kept is not None:
        assert str(kept.path) in str(error.value)


def test_a_loss_that_is_looked_at_late_names_the_same_step(tmp_path, monkeypatch):
    from kgen import monitor

    values = {"optimizer__learning_rate": 10.0, "optimizer__name": "sgd", "training__steps": 200}
    messages = []
    for seconds in (-1.0, 1e9):  # at every step; at the end of each epoch
        monkeypatch.setattr(monitor, "REPORT_SECONDS", seconds)
        run = tiny.new_run("vae", tmp_path, f"run{seconds}", **values)
        with pytest.raises(KgenError, match=r"stopped being finite at step \d+") as error:
            train(run)
        messages.append(str(error.value).partition(" (")[0])
        assert not checkpoint.paths(run.checkpoints)
    assert messages[0] == messages[1]


def test_held_out_losses_are_those_that_keras_evaluates(tmp_path):
    setup = prepare(tiny.config("vae", tmp_path, data__validation=0.4))
    images, labels = setup.held_out()
    test = engine().tester(setup.model)
    setup.model.reset_metrics()
    for _ in range(2):
        logs = test((images, labels))
    expected = setup.model.evaluate(
        images, labels, batch_size=len(images), verbose=0, return_dict=True
    )
    # The same function of the same weights and noise: the mean of two equals is exact.
    assert {name: float(value) for name, value in logs.items()} == expected


def test_resuming_refuses_other_data(tmp_path, monkeypatch):
    run = tiny.new_run("vae", tmp_path)
    train(run, reporter=StopAt(signal.SIGTERM, monkeypatch, 2))
    np.savez(tmp_path / "pictures.npz", images=tiny.pictures(40))
    with pytest.raises(KgenError, match="train images was 43, now 36"):
        train(run, resume=True)


def test_training_noise_moves_on_and_evaluation_noise_does_not(tmp_path):
    setup = prepare(tiny.config("ddpm", tmp_path))
    model = setup.model
    before = ops.convert_to_numpy(model.seeds.state)
    batch = setup.batches.batch(0, 0)
    first = model.evaluate(*batch, verbose=0, return_dict=True)
    second = model.evaluate(*batch, verbose=0, return_dict=True)
    assert first == second
    assert ops.convert_to_numpy(model.seeds.state).tolist() == before.tolist()
    model.fit(*batch, batch_size=8, verbose=0)
    assert ops.convert_to_numpy(model.seeds.state).tolist() != before.tolist()


def test_a_summary_is_plain_json(tmp_path):
    run = tiny.new_run("ae", tmp_path)
    train(run)
    summary = json.loads(run.summary_file.read_text())
    assert {"versions", "parameters", "device", "images_per_second"} <= set(summary)
