"""`kgen export`, `kgen verify` and `kgen generate`: what a user types, and what comes back."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from kgen.errors import KgenError
from kgen_exports import proof
from kgen_exports.export import Exported
from kgen_exports.runtime import load
from tests.exports.tiny_bundle import make


class Asked(list):
    """What was asked of the export, and the checks that it shall refuse."""

    refused = ()


@pytest.fixture
def exporting(monkeypatch):
    """Replace the export by one that notes what it is asked and returns a tiny bundle."""
    asked = Asked()

    def export(job, out, *, force=False, say=lambda line: None):
        asked.append((job, out, force))
        say("converting")
        bundle = make(out)
        checks = tuple(bundle.self_test())
        return Exported(
            path=out, manifest=bundle.manifest, passed=checks[1:], refused=asked.refused
        )

    monkeypatch.setattr("kgen_exports.export.export", export)
    return asked


@pytest.fixture
def gan_run(make_run):
    """Make the folder of a run, as if it were finished."""
    return make_run("gan-run", "gan")


def test_export_asks_for_both_formats_and_three_precisions(kgen, exporting, gan_run):
    result = kgen("export", "gan")
    assert result.exit_code == 0, result.output
    ((job, out, force),) = exporting
    assert (job.run, job.family) == (str(gan_run.path), "gan")
    assert job.formats == ("onnx", "tflite")
    assert job.precisions == ("fp32", "fp16", "int8")
    assert job.parts == ("generator",)
    assert (out, force) == (gan_run.path / "export", False)


def test_export_passes_its_options_on(kgen, exporting, make_run):
    make_run("ddpm-run", "ddpm")
    result = kgen(
        "export", "ddpm", "--onnx", "--precision", "fp32, fp16", "--parts", "sampler", "--eta",
        "0.5", "--num-steps", "9", "--batch", "4", "--opset", "18", "--out", "there", "--force",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    ((job, out, force),) = exporting
    assert job.formats == ("onnx",)
    assert job.precisions == ("fp32", "fp16")
    assert job.parts == ("sampler",)
    assert job.sampler == {"eta": 0.5, "num_steps": 9}
    assert (job.batch, job.opset) == (4, 18)
    assert (str(out), force) == ("there", True)


def test_export_writes_for_torch_fidelity_where_asked(kgen, exporting, gan_run):
    result = kgen("export", "gan", "--fidelity")
    assert result.exit_code == 0, result.output
    ((job, out, _),) = exporting
    assert job.fidelity
    assert f"Fidelity: {out / 'fidelity.onnx'}" in result.output


def test_export_shows_every_file_with_its_error(kgen, exporting, gan_run):
    result = kgen("export", "gan", "--out", "out")
    files = {entry.path for _, entry in load("out").manifest.files()}
    shown = {word for word in result.stdout.split() if word in files}
    assert len(shown) == len(files) - 1  # the fixture leaves the first out
    assert "dB" in result.stdout
    assert "kgen generate out" in result.stdout
    assert result.stderr == "converting\n"


def test_a_refused_file_is_named_and_the_status_is_1(kgen, exporting, gan_run, tmp_path):
    check = make(tmp_path / "other").self_test()[0]
    exporting.refused = (replace(check, problem="image: 20.0 dB"),)
    result = kgen("export", "gan", "--out", "out")
    assert result.exit_code == 1
    assert "refused: image: 20.0 dB" in result.stdout
    assert result.stderr.endswith(f"model: {check.entry.path}. See the table.\n")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("export", "nothing"), 1, "Received: nothing"),
        (("export", "gan", "--precision", "int4"), 1, "int4 is not offered"),
        (("export", "gan", "--precision", ","), 1, "names with commas"),
        (("export", "gan", "--parts", "denoiser"), 1, "Unknown part of a gan"),
        (("export", "gan", "--num-steps", "5"), 1, "belongs to a ddpm"),
        (("export", "gan", "--opset", "19"), 2, "'--opset'"),
        (("export", "gan", "--batch", "0"), 2, "'--batch'"),
        (("verify", "nothing"), 1, "kgen.json"),
        (("verify", "gan"), 1, "not exported yet"),
        (("generate", "."), 1, "kgen.json"),
        (("generate", "gan", "--precision", "fp8"), 2, "fp8"),
        (("generate", "gan", "-n", "0"), 2, "-n"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(fails, exporting, gan_run, arguments, status, message):
    assert message in fails(*arguments, status=status)


def test_verify_says_that_all_files_are_right(kgen, tmp_path):
    make(tmp_path / "b")
    result = kgen("verify", "b")
    assert result.exit_code == 0, result.output
    assert "files of b draw what the model draws." in result.stdout
    rows = json.loads(kgen("verify", "b", "--json").stdout)
    assert {row["file"] for row in rows} >= {"generator.onnx", "generator.b1.onnx"}
    assert all(row["problem"] is None for row in rows)


def test_verify_finds_the_export_of_the_newest_run(kgen, gan_run):
    make(gan_run.path / "export")
    assert kgen("verify", "gan").exit_code == 0
    assert kgen("verify", gan_run.path).exit_code == 0


def test_verify_fails_on_a_changed_file(kgen, tmp_path):
    make(tmp_path / "b")
    with (tmp_path / "b" / "generator.onnx").open("ab") as file:
        file.write(b"x")
    result = kgen("verify", "b")
    assert (result.exit_code, result.stdout) == (1, "")
    progress, error = result.stderr.splitlines()
    assert progress == "checking generator.onnx"
    assert "SHA-256" in error


def test_verify_names_files_that_draw_something_else(kgen, tmp_path, monkeypatch):
    make(tmp_path / "b")
    monkeypatch.setitem(proof.LEAST_DB, "fp16", 900.0)
    result = kgen("verify", "b")
    assert result.exit_code == 1
    assert "generator.fp16.onnx" in result.stderr
    assert "at least 900 dB" in result.stdout


def test_generate_writes_a_grid_files_or_arrays(kgen, tmp_path):
    bundle = make(tmp_path / "b")
    assert kgen("generate", "b").stdout.strip() == "b-fp32-seed0.png"
    with Image.open("b-fp32-seed0.png") as grid:
        assert grid.mode == "L"
    kgen("generate", "b", "-n", 3, "--seed", 7, "--out", "three/")
    assert len(list((tmp_path / "three").glob("*.png"))) == 3
    kgen("generate", "b", "-n", 5, "--seed", 7, "--precision", "fp16", "--out", "five.npz")
    with np.load("five.npz") as arrays:
        assert (arrays["images"] == bundle.generate(5, seed=7, precision="fp16")).all()


def test_generate_takes_other_steps_and_noise_of_a_diffusion_model(kgen, fails, tmp_path):
    bundle = make(tmp_path / "b", "ddpm")
    result = kgen("generate", "b", "--num-steps", 7, "--eta", 0.5)
    assert result.stdout.strip() == "b-fp32-num-steps-7-eta-0.5-seed0.png"
    kgen("generate", "b", "-n", 2, "--num-steps", 7, "--eta", 0.5, "--out", "two.npz")
    with np.load("two.npz") as arrays:
        expected = bundle.generate(2, num_steps=7, eta=0.5)
        assert (arrays["images"] == expected).all()
    make(tmp_path / "g")
    assert "belong to a ddpm" in fails("generate", "g", "--eta", "1", status=1)


def test_generate_writes_over_nothing(fails, kgen, tmp_path):
    make(tmp_path / "b")
    (tmp_path / "mine.png").write_text("mine")
    assert "--force" in fails("generate", "b", "--out", "mine.png", status=1)
    assert (tmp_path / "mine.png").read_text() == "mine"
    assert kgen("generate", "b", "--out", "mine.png", "--force").exit_code == 0


def test_generate_says_what_a_bundle_lacks(fails, tmp_path):
    make(tmp_path / "b")
    assert "holds of its generator" in fails("generate", "b", "--runtime", "litert", status=1)
    assert "CUDA" in fails("generate", "b", "--device", "gpu", status=1)


def test_an_error_of_an_export_is_one_line(fails, gan_run, monkeypatch):
    def export(*_arguments, **_more):
        raise KgenError("The converter failed with status -11: it broke. Its log: export.log")

    monkeypatch.setattr("kgen_exports.export.export", export)
    assert "status -11" in fails("export", "gan", status=1)
