"""`kgen evaluate` and `kgen compare` on a real backend: tiny models, embedded pictures."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kgen import data
from kgen.evaluation.extraction.extractor import Extractor, pinned
from kgen.evaluation.record import Record
from kgen.files import cache_folder

pytestmark = pytest.mark.backend

TINY = {
    "gan": ["--network", "mlp", "--generator-widths", "8", "--discriminator-widths", "8"],
    "vae": ["--network", "mlp", "--encoder-widths", "8", "--decoder-widths", "8"],
    "ddpm": ["--widths", "8,8", "--num-timesteps", "60", "--preview-steps", "2"],
}
OF_FAMILY = {
    "gan": "d_calibration_error",
    "vae": "elbo",
    "ddpm": "eps_mse",
}
FAST = ["-n", "128", "--device", "cpu"]


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KGEN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def train(kgen):
    """Train a run of a family for a few steps."""

    def train(family):
        result = kgen("train", family, *TINY[family], "--steps", "3", "--device", "cpu")
        assert result.exit_code == 0, result.output

    return train


@pytest.mark.parametrize("family", TINY)
def test_a_run_is_evaluated_and_the_same_question_is_answered_from_its_folder(
    kgen, fails, train, family, monkeypatch
):
    train(family)
    result = kgen("evaluate", family, *FAST, *(["--num-steps", "4"] if family == "ddpm" else []))
    assert result.exit_code == 0, result.output
    report = Path(result.stdout.splitlines()[-1])
    assert report.name == "report.html"
    assert "FD-lenet64-v1" in report.read_text()
    record = Record.read(report.parent)
    assert {"frechet_distance", "coverage", "copies", OF_FAMILY[family]} <= set(
        record.findings.values
    )
    assert record.protocol.split == "test"
    assert len(record.findings.pictures["samples"]) == 64
    if family == "ddpm":
        assert len(record.findings.pictures["trajectory"]) == 64
    json.loads((report.parent / "metrics.json").read_text())

    monkeypatch.setattr("kgen.evaluation.evaluate.evaluate", None)  # not called again
    again = kgen("evaluate", family, *FAST, *(["--num-steps", "4"] if family == "ddpm" else []))
    assert again.stdout == result.stdout
    assert "holds another evaluation" in fails("evaluate", family, "-n", "129", status=1)


def test_a_slow_extractor_looks_at_real_pictures_once(kgen, tmp_path, monkeypatch):
    seen = []
    look = Extractor.__call__

    def counting(self, chunks, total, progress=None):
        found = look(self, chunks, total, progress)
        seen.append(len(found))
        return found

    monkeypatch.setattr(Extractor, "__call__", counting)
    opened = replace(pinned(), is_slow=True)
    monkeypatch.setattr("kgen.evaluation.extraction.extractor.pinned", lambda: opened)
    real = data.load("embedded", split="test").images
    values = []
    for name, first in (("one", 0), ("two", 128)):
        path = tmp_path / f"{name}.npz"
        np.savez(path, images=real.gather(np.arange(first, first + 128)))
        result = kgen("evaluate", str(path), "--data", "embedded", *FAST, "--metrics", "quality")
        assert result.exit_code == 0, result.output
        record = Record.read(Path(result.stdout.splitlines()[-1]).parent)
        values.append(record.findings.values["frechet_distance"])
    # What is evaluated, the reference, the floor and the bar; then only what is evaluated.
    assert seen == [128, len(real), 128, 128, 128]
    assert values[0].value != values[1].value
    assert (values[0].floor, values[0].bar) == (values[1].floor, values[1].bar)


def test_a_sampler_is_chosen_for_what_has_one(kgen, fails, train):
    for family in ("gan", "ddpm"):
        train(family)
    ddim = ["--sampler", "ddim", "--num-steps", "4", "--eta", "0.5", *FAST]
    result = kgen("evaluate", "ddpm", *ddim, "--metrics", "quality,steps")
    assert result.exit_code == 0, result.output
    record = Record.read(Path(result.stdout.splitlines()[-1]).parent)
    assert record.target.sampler == "ddim eta=0.5, 4 steps"
    assert list(record.findings.series["quality_by_steps"].lines) == ["ddim eta=0.5"]
    assert "A sampler belongs to a ddpm" in fails("evaluate", "gan", *ddim, status=1)
    assert "A sampler belongs to a ddpm" in fails("compare", "gan", "gan", *ddim, status=1)
    told = fails("evaluate", "ddpm", *ddim, "--variance", "fixed_large", status=1)
    assert "--variance goes with --sampler ddpm" in told

    assert kgen("compare", "gan", "ddpm", *ddim, "--metrics", "quality").exit_code == 0
    folders = (cache_folder() / "evaluations").iterdir()
    assert {Record.read(folder).target.sampler for folder in folders} == {
        None, "ddim eta=0.5, 4 steps",
    }  # fmt: skip


def test_real_pictures_are_good_and_noise_is_not(kgen):
    real = data.load("embedded", split="test").images.gather(np.arange(2000))
    np.savez("real.npz", images=real)
    np.savez("noise.npz", images=np.random.default_rng(0).integers(0, 256, real.shape, np.uint8))
    found = {}
    for name in ("real", "noise"):
        result = kgen("evaluate", f"{name}.npz", "--data", "embedded", "--metrics", "quality")
        assert result.exit_code == 0, result.output
        found[name] = Record.read(Path(f"evaluation-{name}")).findings.values
    assert found["real"]["frechet_distance"].value < 1e-6
    assert found["real"]["coverage"].value > 0.99
    # The Gaussian generator knows mean and covariance of the pixels; noise knows nothing.
    noise = found["noise"]["frechet_distance"]
    assert noise.value > noise.bar > noise.floor
    assert found["noise"]["coverage"].value < 0.05


def test_shards_hold_the_pictures_of_one_array_and_are_evaluated_like_it(kgen, train):
    train("gan")
    sample = ["sample", "gan", "-n", "300", "--seed", "5", "--device", "cpu"]
    for form in (["--out", "all.npz"], *(["--format", kind, "--shard-size", "70", "--out", kind]
                                         for kind in ("npz", "tar"))):  # fmt: skip
        result = kgen(*sample, *form)
        assert result.exit_code == 0, result.output
    found = {}
    for name in ("all.npz", "npz", "tar"):
        result = kgen("evaluate", name, "--data", "embedded", "--metrics", "quality", "-n", "200")
        assert result.exit_code == 0, result.output
        found[name] = Record.read(Path(f"evaluation-{Path(name).stem}"))
    with np.load("all.npz") as arrays:
        images = arrays["images"]
    for name in ("npz", "tar"):
        np.testing.assert_array_equal(data.load(name).images.gather(np.arange(300)), images)
        assert found[name].findings.values == found["all.npz"].findings.values


def test_runs_are_compared_on_as_many_pictures_without_touching_their_evaluations(kgen, train):
    for family in ("gan", "vae"):
        train(family)
    result = kgen("compare", "gan", "vae", "--metrics", "quality", *FAST)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "comparison.html"
    assert "FD-lenet64-v1" in Path("comparison.html").read_text()
    assert list(Path("runs").glob("*/evaluation*")) == []
    assert len(list((cache_folder() / "evaluations").iterdir())) == 2


def test_a_comparison_is_not_written_over(kgen, fails, train):
    train("gan")
    Path("comparison.html").write_text("mine")
    assert "does not exist yet" in fails("compare", "gan", "gan", *FAST, status=1)
    assert Path("comparison.html").read_text() == "mine"
