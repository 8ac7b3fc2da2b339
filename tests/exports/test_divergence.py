"""A wrong file is not only refused: the layer that went wrong is named."""

import shutil

import numpy as np
import pytest

from kgen.errors import KgenError
from kgen_exports import export as exporting
from kgen_exports.divergence import (
    ACTIVATIONS_NAME,
    FLOOR,
    Divergence,
    explain,
    first,
    first_of,
    layer_errors,
)
from kgen_exports.inside import tensors
from kgen_exports.runtime import load
from tests.exports import mutation, real_exports

RUNTIME = {"onnx": "onnxruntime", "tflite": "litert"}
FILES = [(form, p) for form in RUNTIME for p in ("fp32", "fp16", "int8")]
PARTS = [
    ("gan", "generator"), ("gan", "discriminator"), ("vae", "decoder"), ("vae", "encoder"),
    ("ddpm", "denoiser"), ("ddpm", "sampler"),
]  # fmt: skip
# The layer whose kernel is changed, and the one to be named: a convolution without a bias is one
# operation with the norm behind it in a file, and in some with what follows, too.
LAYERS = [
    ("gan", "generator", "pixels_conv", {"pixels_conv"}),
    ("gan", "generator", "up0_conv", {"up0_norm", "up0_act"}),
    ("vae", "decoder", "up0_up", {"up0_up"}),
    ("vae", "encoder", "down1_conv", {"down1_conv"}),
    ("vae", "encoder", "logvar", {"logvar"}),
    ("ddpm", "denoiser", "time_output", {"time_output"}),
    ("ddpm", "denoiser", "down1_block0_modulation", {"down1_block0_modulation"}),
    ("ddpm", "denoiser", "down1_block0_conv0", {"down1_block0_conv0"}),
    ("ddpm", "denoiser", "head_conv", {"head_conv"}),
    ("ddpm", "sampler", "down1_block0_conv0", {"down1_block0_conv0"}),
]


def feeds_of(bundle, part, golden):
    """Return the first golden case's inputs."""
    prefix = f"{part}/in/"
    return {n.removeprefix(prefix): a[:1] for n, a in golden.items() if n.startswith(prefix)}


def network(part):
    return "denoiser" if part == "sampler" else part


# Files as they were exported.


@pytest.mark.parametrize(("family", "part"), PARTS)
def test_no_layer_of_a_good_file_differs(exported, activations, family, part):
    bundle = load(exported(family).path)
    known = activations(family, network(part))
    feeds = feeds_of(bundle, part, bundle.golden())
    for entry in bundle.manifest.parts[part].files:
        found = tensors(bundle.path / entry.path, RUNTIME[entry.format], feeds)
        errors = layer_errors(found, known)
        assert first_of(errors, entry.precision) is None, entry.path
        # What is not found was fused by a converter: a convolution with its norm, a dropout that
        # drops nothing, a reordering of pixels with the nonlinearity behind it.
        assert len(errors) >= 0.75 * len(known), (entry.path, known.keys() - errors.keys())


@pytest.mark.parametrize("form", RUNTIME)
def test_errors_grow_with_the_loss_of_precision(exported, activations, form):
    bundle = load(exported("vae").path)
    known = activations("vae", "decoder")
    feeds = feeds_of(bundle, "decoder", bundle.golden())
    worst = {}
    for precision in ("fp32", "fp16", "int8"):
        path = bundle.path / mutation.entry_of(bundle, "decoder", form, precision).path
        worst[precision] = max(layer_errors(tensors(path, RUNTIME[form], feeds), known).values())
    # float32 rounds to 6e-8, float16 to 5e-4, int8 to 4e-3 of the largest weight.
    assert worst["fp32"] < 3e-6 < 5e-5 < worst["fp16"] < 1e-3 < worst["int8"]


# Files with one wrong layer.


@pytest.mark.parametrize(("form", "precision"), FILES)
@pytest.mark.parametrize(("family", "part", "layer", "named"), LAYERS)
def test_the_layer_whose_kernel_is_wrong_is_named(
    exported, activations, tmp_path, family, part, layer, named, form, precision
):  # fmt: skip
    bundle = load(exported(family).path)
    entry = mutation.entry_of(bundle, part, form, precision)
    path = tmp_path / entry.path
    shutil.copy(bundle.path / entry.path, path)
    mutation.edit_kernel(path, layer, lambda kernel: -kernel)
    known = activations(family, network(part))
    feeds = feeds_of(bundle, part, bundle.golden())
    found = first(path, RUNTIME[form], feeds, known, precision)
    assert found is not None
    assert found.layer in named
    # The layers before are as good as in the file that was not changed; this one is not.
    assert found.before <= FLOOR[precision]
    assert found.error > 0.2


@pytest.mark.parametrize("form", RUNTIME)
def test_one_wrong_weight_is_enough_in_float32(exported, activations, tmp_path, form):
    bundle = load(exported("ddpm").path)
    entry = mutation.entry_of(bundle, "denoiser", form)
    path = tmp_path / entry.path
    shutil.copy(bundle.path / entry.path, path)

    def nudge(kernel):
        kernel.reshape(-1)[kernel.size // 2] += 0.1 * kernel.std()
        return kernel

    mutation.edit_kernel(path, "up0_block0_conv1", nudge)
    feeds = feeds_of(bundle, "denoiser", bundle.golden())
    found = first(path, RUNTIME[form], feeds, activations("ddpm", "denoiser"))
    assert found is not None
    assert found.layer == "up0_block0_conv1"


@pytest.mark.parametrize("form", RUNTIME)
def test_a_file_for_several_pictures_is_looked_at_too(
    finished_runs, activations, tmp_path, form
):  # fmt: skip
    job = real_exports.job(
        "vae", finished_runs / "vae", precisions=("fp32",), parts=("decoder",), batch=3,
        formats=(form,),
    )  # fmt: skip
    bundle = load(exporting.export(job, tmp_path / "out").path)
    (entry,) = (e for e in bundle.manifest.parts["decoder"].files if e.batch == 3)
    feeds = feeds_of(bundle, "decoder", bundle.golden())
    path, known = bundle.path / entry.path, activations("vae", "decoder")
    assert first(path, RUNTIME[form], feeds, known) is None
    mutation.edit_kernel(path, "up0_conv", lambda kernel: -kernel)
    assert first(path, RUNTIME[form], feeds, known).layer == "up0_conv"


# What layers are called, and in which order their axes are.

REFERENCE = {
    "a": np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4),
    "a_act": np.ones((1, 5), np.float32),
    "image_output": np.full((1, 7), 2.0, np.float32),
}
A = REFERENCE["a"]


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("a/mul", "a"),
        ("model_1/network_1/a_1/mul", "a"),
        ("model/a_17/BiasAdd;model/a_17/Conv2D", "a"),
        ("image", "image_output"),
        ("ba/mul", None),
        ("a_b/mul", None),
        ("a/mul__12", None),  # moved elsewhere by tf2onnx
    ],
)
def test_tensors_are_matched_by_parts_of_their_names(name, layer):
    value = REFERENCE.get(layer or "a", A)
    assert layer_errors([(name, value)], REFERENCE) == ({} if layer is None else {layer: 0.0})


def test_a_fused_tensor_is_the_output_of_the_last_of_its_layers():
    fused = [("m/a_1/BiasAdd;m/a_act_1/Relu", REFERENCE["a_act"])]
    assert layer_errors(fused, REFERENCE) == {"a_act": 0.0}


def test_the_last_tensor_of_the_layers_shape_is_its_output():
    on_the_way = [("a/x", A + 1), ("a/y", A), ("a/z", np.zeros((1, 3), np.float32))]
    assert layer_errors(on_the_way, REFERENCE) == {"a": 0.0}


@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 3, 1, 2), (3, 0, 2, 1)])
def test_any_order_of_axes_will_do(axes):
    assert layer_errors([("a/x", A.transpose(axes))], REFERENCE) == {"a": 0.0}


def test_the_same_numbers_in_another_shape_are_another_tensor():
    assert layer_errors([("a/x", A.reshape(1, 4, 6))], REFERENCE) == {}


def test_several_times_the_same_picture_is_compared_with_one():
    assert layer_errors([("a/x", np.repeat(A, 3, axis=0))], REFERENCE) == {"a": 0.0}


def test_the_error_is_relative_to_the_layers_scale():
    # All 5 % too large: the difference is 5 % of the reference, whatever the scale.
    for scale in (1e-3, 1.0, 1e4):
        errors = layer_errors([("a/x", scale * A * 1.05)], {"a": scale * A})
        assert errors["a"] == pytest.approx(0.05, rel=1e-5)  # float32 rounds the products


def test_a_layer_stands_out_by_its_precision_and_by_what_came_before():
    def named(errors, precision="fp32"):
        found = first_of(dict(zip("abc", errors, strict=True)), precision)
        return found and found.layer

    assert named((1e-7, 1e-6, 3e-6)) is None
    assert named((1e-7, 1e-3, 1e-1)) == "b"
    assert named((1e-7, np.nan, 1e-7)) == "b"
    assert named((1e-7, 1e-6, 1e-3), "fp16") is None
    assert named((2e-2, 3e-2, 9e-1), "int8") == "c"
    # It grows, but at no layer more than norms make it grow: nobody's fault.
    assert named((4e-2, 2e-1, 9e-1), "int8") is None


def test_it_is_said_in_words():
    found = Divergence(layer="up0_conv", error=0.3123, before=1.2e-6)
    assert str(found) == "the first layer that differs is up0_conv (error 0.31, before it 1.2e-06)"


# In an export.


@pytest.fixture
def export_of(exported, finished_runs, tmp_path, monkeypatch):
    """Return a function that exports a VAE with a converter that makes one mistake."""

    def run(name, layer):
        def convert(job, folder, out, say):
            source = exported("vae").path
            shutil.copytree(source, folder, dirs_exist_ok=True)
            shutil.copy(source.with_name("vae.npz"), folder / ACTIVATIONS_NAME)
            mutation.edit_kernel(folder / name, layer, lambda kernel: -kernel)
            mutation.sign(folder)

        monkeypatch.setattr(exporting, "convert", convert)
        return exporting.export(real_exports.job("vae", finished_runs / "vae"), tmp_path / "out")

    return run


def test_an_export_whose_float32_file_is_wrong_names_the_layer_and_leaves_nothing(
    export_of, tmp_path
):
    with pytest.raises(KgenError) as caught:
        export_of("decoder.onnx", "up0_conv")
    message = str(caught.value)
    assert message.startswith("decoder.onnx is not the model: image: largest error ")
    assert "; the first layer that differs is up0_conv (error " in message
    assert list(tmp_path.iterdir()) == []


def test_a_smaller_file_that_is_wrong_is_left_out_and_its_layer_named(export_of, tmp_path):
    done = export_of("encoder.int8.tflite", "down0_conv")
    (refused,) = done.refused
    assert refused.entry.path == "encoder.int8.tflite"
    assert "the first layer that differs is down0_conv (error " in refused.problem
    assert not (done.path / "encoder.int8.tflite").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_where_activations_were_not_kept_that_is_said(exported):
    bundle = load(exported("vae").path)
    entry = mutation.entry_of(bundle, "decoder", "onnx")
    assert explain(bundle, "decoder", entry) == "what its layers should put out was not kept"


def test_no_bundle_holds_activations(exported):
    for family in ("gan", "vae", "ddpm"):
        assert not (exported(family).path / ACTIVATIONS_NAME).exists()


# What Keras's layers put out.


@pytest.mark.parametrize(("family", "part"), PARTS)
def test_peaks_are_of_every_layer_on_the_golden_inputs(exported, activations, family, part):
    bundle = load(exported(family).path)
    entry, known = bundle.manifest.parts[part], activations(family, network(part))
    assert list(entry.peaks) == list(known)
    for layer, output in known.items():
        # Peaks are of eight pictures, activations of the first; four digits are written.
        assert entry.peaks[layer] >= np.abs(output).max() * (1 - 1e-3)
    golden = bundle.golden()
    for spec in bundle.manifest.parts[network(part)].outputs:
        last = golden[f"{network(part)}/out/{spec.name}"]
        peak = entry.peaks[f"{spec.name}_output"]
        assert peak == pytest.approx(float(np.abs(last).max()), rel=1e-3)


def test_activations_are_what_layers_compute_in_the_order_in_which_they_run(activations):
    found = activations("vae", "decoder")
    names = list(found)
    # LeakyReLU of slope 0.2, and depth to space of 2x2 blocks, written out.
    conv, act = found["up0_conv"], found["up0_act"]
    np.testing.assert_array_equal(act, np.where(conv > 0, conv, np.float32(0.2) * conv))
    before, after = found["pixels_conv"], found["pixels"]
    np.testing.assert_array_equal(after[:, 1::2, 0::2, 0], before[..., 2])
    assert names.index("up0_conv") < names.index("up0_act") < names.index("pixels_conv")


def test_activations_are_of_the_first_golden_case(exported, activations):
    golden = load(exported("gan").path).golden()
    found = activations("gan", "generator")["image_output"]
    # Eight pictures at once and one alone, in float32.
    np.testing.assert_allclose(found, golden["generator/out/image"][:1], rtol=0, atol=1e-6)
