"""Which bundles and files an app takes, under which names; damaged ones are noticed in time."""

import re
import shutil

import pytest

from kgen.errors import KgenError
from kgen_exports.app.models import USED_PARTS, choose
from kgen_exports.app.site import Wishes, build_site
from kgen_exports.manifest import PARTS
from tests.exports.app.conftest import KINDS, edit_manifest


def test_a_part_that_the_app_does_not_run_is_left_out():
    assert {kind: set(PARTS[kind]) - set(USED_PARTS[kind]) for kind in PARTS} == {
        "gan": {"discriminator"}, "ae": set(), "vae": set(), "ddpm": set(),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("precisions", "files"),
    [
        (("fp32",), ["generator.onnx"]),
        (("int8", "fp32"), ["generator.int8.onnx", "generator.onnx"]),
        (("int8-static",), ["generator.onnx"]),
    ],
)
def test_the_files_that_are_asked_for_come_or_else_fp32(bundles, precisions, files):
    (model,) = choose([bundles / "gan"], ["onnxruntime"], precisions)
    assert [entry.path for entry in model.files] == files


def test_onnx_with_a_fixed_batch_will_do(bundles):
    def change(values):
        part = values["parts"]["generator"]
        part["files"] = [f for f in part["files"] if f["batch"] is not None]

    edit_manifest(bundles / "gan", change)
    (model,) = choose([bundles / "gan"], ["onnxruntime"], ["fp16"])
    assert [entry.path for entry in model.files] == ["generator.fp16.b1.onnx"]


def test_javascript_alone_cannot_run_a_ddpm(bundles, tmp_path):
    with pytest.raises(KgenError, match="of its denoiser"):
        build_site([bundles / "ddpm"], tmp_path / "site", Wishes(runtimes=("javascript",)))
    assert not (tmp_path / "site").exists()


def test_bundles_of_one_name_get_different_ones(bundles, tmp_path):
    shutil.copytree(bundles / "gan", tmp_path / "other" / "GAN")
    site = build_site([bundles / "gan", tmp_path / "other" / "GAN"], tmp_path / "site")
    assert [(m["name"], m["title"]) for m in site.app["models"]] == [
        ("gan", "GAN 1"),
        ("gan-2", "GAN 2"),
    ]
    assert (site.path / "models/gan-2/kgen.json").is_file()


@pytest.mark.parametrize(
    ("folder", "name"),
    [("Größe & Co", "gr-e-co"), ("a_b.c", "a-b-c"), ("日本", "model"), ("-x-", "x")],
)
def test_names_are_fit_for_addresses(bundles, tmp_path, folder, name):
    shutil.copytree(bundles / "gan", tmp_path / folder)
    (model,) = choose([tmp_path / folder], ["onnxruntime"], ["fp16"])
    assert model.name == name


def test_the_export_of_a_run_is_named_after_the_run(bundles, tmp_path):
    run = tmp_path / "gan-embedded-2"
    shutil.copytree(bundles / "gan", run / "export")
    (run / "config.toml").write_text("")
    (model,) = choose([run / "export"], ["onnxruntime"], ["fp16"])
    assert model.name == "gan-embedded-2"


def test_a_bundle_is_taken_once(bundles):
    with pytest.raises(KgenError, match="twice"):
        choose([bundles / "gan", bundles / "vae" / ".." / "gan"], ["onnxruntime"], ["fp16"])


def test_a_changed_file_is_noticed_before_anything_is_written(bundles, tmp_path, runtime_files):
    (bundles / "vae" / "encoder.fp16.onnx").write_bytes(b"other")
    with pytest.raises(KgenError, match="its SHA-256 is not the manifest's"):
        build_site([bundles / kind for kind in KINDS], tmp_path / "site")
    assert runtime_files == []
    assert [path.name for path in tmp_path.iterdir()] == ["bundles"]


@pytest.mark.parametrize("name", ["golden.npz", "generator.onnx", "generator.fp16.onnx"])
def test_a_missing_file_is_named(bundles, tmp_path, name):
    (bundles / "gan" / name).unlink()
    with pytest.raises(KgenError, match=re.escape(f"{name} is missing from its bundle")):
        build_site([bundles / "gan"], tmp_path / "site")


def test_a_missing_part_says_what_there_is_and_what_to_do(bundles, tmp_path):
    edit_manifest(bundles / "vae", lambda values: values["parts"].pop("decoder"))
    with pytest.raises(KgenError, match=r"of its decoder: no file.*kgen export RUN"):
        build_site([bundles / "vae"], tmp_path / "site")


def test_a_vae_without_an_encoder_still_draws(bundles, tmp_path):
    edit_manifest(bundles / "vae", lambda values: values["parts"].pop("encoder"))
    site = build_site([bundles / "vae"], tmp_path / "site")
    assert site.app["models"][0]["files"] == ["decoder.fp16.onnx"]


def test_a_newer_schema_is_refused(bundles, tmp_path):
    edit_manifest(bundles / "gan", lambda values: values.update(schema="kgen-bundle-2"))
    with pytest.raises(KgenError, match="A newer bundle needs a newer kgen"):
        build_site([bundles / "gan"], tmp_path / "site")


@pytest.mark.parametrize(
    ("change", "received"),
    [
        ({"runtimes": ("onnxruntime", "wasm")}, "runtimes='onnxruntime,wasm'"),
        ({"runtimes": ()}, "runtimes='none'"),
        ({"precisions": ("fp8",)}, "precision='fp8'"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(change, received):
    with pytest.raises(KgenError, match=received):
        Wishes(**change)
