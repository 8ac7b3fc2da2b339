"""An export from beginning to end: what it leaves, and what it leaves when it fails."""

import errno
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import onnx
import pytest
from ai_edge_litert.schema_py_generated import TensorType
from onnx.reference import ReferenceEvaluator

from kgen.errors import KgenError
from kgen.run import Run
from kgen_exports import export as exporting
from kgen_exports.export import export
from kgen_exports.flatbuffer import read_tflite
from kgen_exports.job import PARTS, Job
from kgen_exports.lint import lint
from kgen_exports.runtime import load
from kgen_exports.runtimes import OLDEST
from kgen_exports.staging import STAGING
from kgen_exports.to_tflite.small import SMALL
from tests.exports.real_exports import job

FAMILIES = tuple(PARTS)


@pytest.fixture
def gan_job(finished_runs, tmp_path):
    shutil.copytree(finished_runs / "gan", tmp_path / "run")
    return job("gan", tmp_path / "run", formats=("onnx",), precisions=("fp32",))


@pytest.fixture
def ready(exported, monkeypatch):
    """Make the conversion a copy of an earlier bundle's: only what follows it is real."""
    earlier = exported("gan").path

    def copy(_job, folder, _out, _say):
        for path in earlier.iterdir():
            shutil.copy(path, folder)

    monkeypatch.setattr(exporting, "convert", copy)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_part_comes_in_both_formats_and_all_precisions(exported, family):
    done = exported(family)
    made = {(c.part, c.entry.format, c.entry.precision, c.entry.batch) for c in done.passed}
    for part in PARTS[family]:
        for precision in ("fp32", "fp16", "int8"):
            wanted = {("onnx", None), ("onnx", 1), ("tflite", 1)}
            assert {(f, b) for p, f, q, b in made if (p, q) == (part, precision)} == wanted
    listed = {entry.path for _, entry in done.manifest.files()}
    assert {path.suffix for path in done.path.iterdir()} >= {".onnx", ".tflite", ".npz", ".json"}
    models = {p.name for p in done.path.iterdir() if p.suffix in (".onnx", ".tflite")}
    assert models == listed


@pytest.mark.parametrize("family", FAMILIES)
def test_the_oldest_runtimes_that_run_the_files_are_written_down(exported, family):
    assert exported(family).manifest.min_runtime == OLDEST


@pytest.mark.parametrize("family", FAMILIES)
def test_smaller_precisions_are_smaller(exported, family):
    sizes = {c.entry.path: c.entry.bytes for c in exported(family).passed}
    for name, size in sizes.items():
        if ".fp16." in name or ".int8." in name:
            assert size < sizes[name.replace(".fp16", "").replace(".int8", "")], name


@pytest.mark.parametrize("family", FAMILIES)
def test_no_file_has_anything_that_hurts_on_a_device(exported, family):
    for path in sorted(exported(family).path.iterdir()):
        if path.suffix in (".onnx", ".tflite"):
            report = lint(path)
            assert report.ok, [f for f in report.findings if f.severity == "error"]


@pytest.mark.parametrize("family", FAMILIES)
def test_networks_run_whole_on_nnapi_and_coreml(exported, family):
    for path in exported(family).path.glob("*.b1.onnx"):
        if "sampler" in path.name or "int8" in path.name:
            continue  # a loop runs on the CPU; CoreML has no DequantizeLinear
        verdicts = lint(path).verdicts
        for device in ("nnapi", "coreml_mlprogram"):
            assert verdicts[device].verdict == "YES", (path.name, device, verdicts[device])


@pytest.mark.parametrize("family", FAMILIES)
def test_small_constants_stay_float32_in_float16_files(exported, family):
    # The frequencies of a time embedding in float16 turn its sines by half a radian.
    for path in exported(family).path.glob("*.fp16.tflite"):
        sizes = {
            np.prod(graph.tensors[i].shape)
            for graph in read_tflite(path).subgraphs
            for operator in graph.operators
            for i in operator.inputs
            if i >= 0 and graph.tensors[i].type == TensorType.FLOAT16
        }
        assert sizes, path.name
        assert min(sizes) > SMALL, path.name


def test_a_samplers_weights_are_constants_of_its_loop_and_floats_before_it(exported):
    for entry in exported("ddpm").manifest.parts["sampler"].files:
        if entry.format != "onnx":
            continue
        graph = onnx.load(exported("ddpm").path / entry.path).graph
        (loop,) = (node for node in graph.node if node.op_type == "Loop")
        (body,) = (attribute.g for attribute in loop.attribute if attribute.name == "body")
        # ONNX Runtime lays out a convolution's weights for the processor if the same graph holds
        # them, and computes a DequantizeLinear in every turn of a loop.
        makes = {name: node for node in body.node for name in node.output}
        held = {tensor.name for tensor in body.initializer}
        kernels = [node.input[1] for node in body.node if node.op_type == "Conv"]
        stored = {makes[name].input[0] if name in makes else name for name in kernels}
        floats = {node.op_type for node in graph.node} - {"Loop"}
        if entry.precision == "int8":
            assert floats == {"DequantizeLinear"}
        else:
            assert (floats, stored <= held) == (set(), True), entry.path
        assert kernels


def test_an_independent_reader_draws_the_same(exported):
    bundle = load(exported("gan").path)
    golden = bundle.golden()
    model = onnx.load(bundle.path / "generator.onnx")
    (image,) = ReferenceEvaluator(model).run(None, {"z": golden["generator/in/z"]})
    # The gate of fp32: 1e-4 of pictures in [-1, 1].
    assert np.abs(image - golden["generator/out/image"]).max() < 1e-4


def test_the_oldest_opset_a_sampler_with_noise_and_a_larger_batch_work(finished_runs, tmp_path):
    asked = job(
        "ddpm", finished_runs / "ddpm", precisions=("fp32",), parts=("sampler",), batch=2,
        opset=15, sampler={"num_steps": 3, "eta": 1.0},
    )  # fmt: skip
    done = export(asked, tmp_path / "out")
    names = {check.entry.path for check in done.passed}
    assert names == {"sampler.onnx", "sampler.b2.onnx", "sampler.b2.tflite"}
    assert done.manifest.sampler is not None
    assert done.manifest.sampler.stochastic
    found = {entry.version for entry in onnx.load(done.path / "sampler.onnx").opset_import}
    assert found == {15}


def test_the_newest_opset_works(gan_job, tmp_path):
    done = export(replace(gan_job, opset=18), tmp_path / "out")
    assert not done.refused
    found = {entry.version for entry in onnx.load(done.path / "generator.onnx").opset_import}
    assert found == {18}


def left_behind(folder):
    """Name what an export left beside the run."""
    return sorted(path.name for path in folder.iterdir() if path.name != "run")


def test_an_unfinished_run_is_refused(gan_job, tmp_path):
    Run.open(gan_job.run).model_file.unlink()
    with pytest.raises(KgenError, match=r"finished run.*--resume"):
        export(gan_job, tmp_path / "out")
    assert left_behind(tmp_path) == []


def test_a_damaged_model_is_refused(gan_job, tmp_path):
    file = Run.open(gan_job.run).model_file
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(KgenError, match="not a whole Keras model"):
        export(gan_job, tmp_path / "out")
    assert left_behind(tmp_path) == []


def test_more_steps_than_the_chain_has_are_refused(finished_runs, tmp_path):
    asked = job("ddpm", finished_runs / "ddpm", sampler={"num_steps": 5000})
    with pytest.raises(KgenError, match="num_steps=5000"):
        export(asked, tmp_path / "out")
    assert left_behind(tmp_path) == []


def test_a_folder_with_something_else_is_left_alone(gan_job, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(KgenError, match="other than a bundle"):
        export(gan_job, tmp_path / "out", force=True)
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"


def test_a_bundle_is_written_over_only_by_force(gan_job, ready, tmp_path):
    export(gan_job, tmp_path / "out")
    with pytest.raises(KgenError, match="--force"):
        export(gan_job, tmp_path / "out")
    (tmp_path / "out" / "old.txt").touch()
    export(gan_job, tmp_path / "out", force=True)
    assert not (tmp_path / "out" / "old.txt").exists()
    assert left_behind(tmp_path) == ["out"]


def test_a_crash_of_the_converter_leaves_its_log(gan_job, tmp_path, monkeypatch):
    dying = ["/bin/sh", "-c", "cat > /dev/null; echo it broke >&2; kill -SEGV $$"]
    real = subprocess.Popen
    monkeypatch.setattr(exporting.subprocess, "Popen", lambda _c, **more: real(dying, **more))
    with pytest.raises(KgenError, match=r"status -11: it broke.*out\.log"):
        export(gan_job, tmp_path / "out")
    assert left_behind(tmp_path) == ["out.log"]


def test_an_interrupted_export_leaves_nothing(gan_job, tmp_path):
    def interrupt(_line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(gan_job, tmp_path / "out", say=interrupt)
    assert left_behind(tmp_path) == []


def test_what_a_killed_export_left_goes_with_the_next_one(gan_job, ready, tmp_path):
    # No process has this number: Linux ends at 2**22.
    left = tmp_path / f"{STAGING}{2**22 + 1}-abc"
    left.mkdir()
    (left / "half.onnx").touch()
    export(gan_job, tmp_path / "out")
    assert left_behind(tmp_path) == ["out"]


def test_a_full_disk_leaves_nothing(gan_job, tmp_path, monkeypatch):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(exporting, "convert", full)
    with pytest.raises(KgenError, match="No space left on device"):
        export(gan_job, tmp_path / "out")
    assert left_behind(tmp_path) == []


def test_a_missing_runtime_is_an_error_before_anything_is_written(gan_job, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "installed", lambda: ["litert"])
    with pytest.raises(KgenError, match="pip install onnxruntime"):
        export(gan_job, tmp_path / "out")
    assert left_behind(tmp_path) == []


def test_a_file_too_far_from_the_model_is_left_out(gan_job, ready, tmp_path, monkeypatch):
    from kgen_exports import proof

    monkeypatch.setitem(proof.LEAST_DB, "int8", 500.0)
    done = export(gan_job, tmp_path / "out")
    refused = {check.entry.path for check in done.refused if check.part == "generator"}
    assert refused == {"generator.int8.onnx", "generator.int8.b1.onnx", "generator.int8.tflite"}
    assert not any((done.path / name).exists() for name in refused)
    assert not refused & {entry.path for _, entry in load(done.path).manifest.files()}


def test_a_float32_file_that_is_not_the_model_stops_all(gan_job, ready, tmp_path, monkeypatch):
    from kgen_exports import proof

    monkeypatch.setattr(proof, "FP32_SHARE", 0.0)
    with pytest.raises(KgenError, match="is not the model: image: largest error"):
        export(gan_job, tmp_path / "out")
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precisions": ("int4",)}, "not offered"),
        ({"precisions": ("fp8",)}, "Unknown precision 'fp8'"),
        ({"formats": ("coreml",)}, "Unknown format 'coreml'"),
        ({"parts": ("denoiser",)}, "Unknown part of a gan 'denoiser'"),
        ({"family": "ddpm", "precisions": ("int8-static",)}, "without a timestep"),
        ({"sampler": {"eta": 0.5}}, "belongs to a ddpm"),
        ({"family": "ddpm", "sampler": {"sampler": "ddpm", "eta": 0.5}}, "--sampler dpmpp or ddim"),
        ({"family": "ddpm", "sampler": {"variance": "fixed_large"}}, "--sampler ddpm"),
        ({"batch": 0}, "batch=0"),
        ({"opset": 19}, "opset=19"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(changes, message):
    with pytest.raises(KgenError, match=message):
        Job(**{"run": "run", "family": "gan", **changes})
