"""The proof proves something: every file passes as it was exported, and none that was changed."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from onnx import numpy_helper

from kgen.errors import KgenError
from kgen_exports import proof
from kgen_exports.runtime import load
from tests.exports import mutation

FORMATS = ("onnx", "tflite")
FLOATS = [(form, precision) for form in FORMATS for precision in ("fp32", "fp16")]
ALL = [(form, precision) for form in FORMATS for precision in ("fp32", "fp16", "int8")]


@pytest.fixture
def bundle(exported, tmp_path):
    """Return a function that copies a family's bundle."""
    return lambda family: mutation.copy(exported(family).path, tmp_path)


@pytest.mark.parametrize("family", ["gan", "vae", "ddpm"])
def test_untouched_copies_pass(bundle, family):
    copy = bundle(family)
    golden = copy.golden()
    problems = {e.path: mutation.check(copy, p, e, golden) for p, e in copy.manifest.files()}
    assert len(problems) >= 18  # 2 parts, ONNX for any batch and for one, and TFLite, 3 precisions
    assert {path: problem for path, problem in problems.items() if problem} == {}


def test_a_bundle_holds_every_file_that_was_asked_for(exported):
    for family in ("gan", "ae", "vae", "ddpm"):
        assert exported(family).refused == ()


# Weights.


@pytest.mark.parametrize("form", FORMATS)
def test_one_wrong_weight_is_caught(bundle, form):
    copy = bundle("vae")
    entry = mutation.entry_of(copy, "decoder", form)

    def nudge(kernel):
        # A tenth of what weights of this kernel are like: far above rounding, far below a sight.
        kernel.reshape(-1)[kernel.size // 2] += 0.1 * kernel.std()
        return kernel

    mutation.edit_kernel(copy.path / entry.path, "up0_conv", nudge)
    problem = mutation.check(copy, "decoder", entry)
    assert problem is not None
    assert problem.startswith("image: largest error ")


@pytest.mark.parametrize(("form", "precision"), ALL)
def test_a_wrong_kernel_is_caught(bundle, form, precision):
    copy = bundle("vae")
    entry = mutation.entry_of(copy, "decoder", form, precision)
    mutation.edit_kernel(copy.path / entry.path, "up0_conv", lambda kernel: -kernel)
    problem = mutation.check(copy, "decoder", entry)
    assert problem is not None
    assert problem.startswith("image: " if precision == "fp32" else "picture: ")


@pytest.mark.parametrize(("form", "precision"), FLOATS)
def test_a_weight_that_is_not_a_number_is_caught(bundle, form, precision):
    copy = bundle("vae")
    entry = mutation.entry_of(copy, "decoder", form, precision)

    def poison(kernel):
        kernel.reshape(-1)[0] = np.nan
        return kernel

    mutation.edit_kernel(copy.path / entry.path, "up0_conv", poison)
    assert "not finite" in str(mutation.check(copy, "decoder", entry))


def test_a_wrong_scale_of_one_channel_is_caught(bundle):
    copy = bundle("vae")
    entry = mutation.entry_of(copy, "decoder", "onnx", "int8")

    def change(model):
        scale = next(
            t.name for t in model.graph.initializer
            if t.name.endswith("__scale") and t.name.startswith("pixels_conv/")
        )  # fmt: skip
        mutation.edit_initializer(model, scale, lambda s: s * np.where(np.arange(len(s)), 1, 2))

    mutation.edit(copy.path / entry.path, change)
    problem = mutation.check(copy, "decoder", entry)
    assert problem is not None
    assert problem.endswith("at least 30 dB are asked for")


# Names and order.


@pytest.mark.parametrize("form", FORMATS)
def test_inputs_in_another_order_are_caught(bundle, form):
    copy = bundle("ddpm")
    entry = mutation.entry_of(copy, "denoiser", form)
    mutation.edit(copy.path / entry.path, lambda model: _reverse(model, form, "input"))
    expected = "inputs are xt, t, in this order. Received: t, xt"
    assert mutation.check(copy, "denoiser", entry) == expected


@pytest.mark.parametrize("form", FORMATS)
def test_outputs_in_another_order_are_caught(bundle, form):
    copy = bundle("vae")
    entry = mutation.entry_of(copy, "encoder", form)
    mutation.edit(copy.path / entry.path, lambda model: _reverse(model, form, "output"))
    expected = "outputs are mean, logvar, in this order. Received: logvar, mean"
    assert mutation.check(copy, "encoder", entry) == expected


@pytest.mark.parametrize(("form", "precision"), ALL)
def test_outputs_under_each_others_names_are_caught(bundle, form, precision):
    copy = bundle("vae")
    entry = mutation.entry_of(copy, "encoder", form, precision)

    def swap(model):
        if form == "onnx":
            other = {"mean": "logvar", "logvar": "mean"}
            for node in model.graph.node:
                node.output[:] = [other.get(name, name) for name in node.output]
            return
        a, b = model.signatureDefs[0].outputs
        a.name, b.name = b.name, a.name
        _reverse(model, form, "output")

    mutation.edit(copy.path / entry.path, swap)
    problem = mutation.check(copy, "encoder", entry)
    assert problem is not None
    assert problem.startswith("mean: ")


def _reverse(model, form, what):
    """Reverse the order of a file's inputs or outputs; their names stay with them."""
    if form == "onnx":
        declared = getattr(model.graph, what)
        turned = list(declared)[::-1]
        del declared[:]
        declared.extend(turned)
        return
    graph, name = model.subgraphs[0], f"{what}s"
    setattr(graph, name, getattr(graph, name)[::-1].copy())


# The sampler.


@pytest.mark.parametrize(
    "column", ["x0_from_xt", "x0_from_prediction", "coef_x0", "coef_xt", "coef_last"]
)
def test_a_wrong_coefficient_in_an_onnx_loop_is_caught(bundle, column):
    copy = bundle("ddpm")
    entry = mutation.entry_of(copy, "sampler", "onnx")
    mutation.edit(
        copy.path / entry.path,
        lambda model: mutation.edit_initializer(model, f"kgen_{column}", _one_percent_more),
    )
    assert "largest error" in str(mutation.check(copy, "sampler", entry))


def test_a_wrong_coefficient_in_a_tflite_loop_is_caught(bundle):
    copy = bundle("ddpm")
    entry = mutation.entry_of(copy, "sampler", "tflite")
    table = copy.manifest.sampler.coefficients()

    def change(model):
        (stored,) = {
            t.buffer: t for g in model.subgraphs for t in g.tensors
            if tuple(t.shape if t.shape is not None else ()) == table.shape
            and model.buffers[t.buffer].data is not None
        }.values()  # fmt: skip
        mutation.edit_tensor(model, stored, _one_percent_more)

    mutation.edit(copy.path / entry.path, change)
    assert "largest error" in str(mutation.check(copy, "sampler", entry))


@pytest.mark.parametrize(
    "column", ["x0_from_xt", "x0_from_prediction", "coef_x0", "coef_xt", "coef_last"]
)
def test_a_wrong_coefficient_in_the_manifest_is_caught(bundle, column):
    copy = bundle("ddpm")
    values = json.loads((copy.path / "kgen.json").read_text())
    values["sampler"][column][1] *= 1.01
    (copy.path / "kgen.json").write_text(json.dumps(values))
    changed = load(copy.path)
    entry = mutation.entry_of(changed, "denoiser", "onnx")
    assert str(mutation.check(changed, "denoiser", entry)).startswith("picture: largest error ")


def test_a_wrong_timestep_is_caught(bundle):
    copy = bundle("ddpm")
    entry = mutation.entry_of(copy, "sampler", "onnx")

    def later(timesteps):
        timesteps[1] -= 1
        return timesteps

    mutation.edit(
        copy.path / entry.path, lambda model: mutation.edit_initializer(model, "kgen_ts", later)
    )
    assert "largest error" in str(mutation.check(copy, "sampler", entry))


def _one_percent_more(values):
    """Change the numbers of the second step."""
    values[1] *= 1.01
    return values


# Files that are whole, but others.


@pytest.mark.parametrize("form", FORMATS)
def test_the_file_of_another_run_is_caught(bundle, exported, form):
    copy, other = bundle("vae"), exported("ae").path
    entry = mutation.entry_of(copy, "decoder", form)
    shutil.copy(other / entry.path, copy.path / entry.path)
    # Of the same inputs and outputs, so that nothing but the pictures can tell.
    assert str(mutation.check(copy, "decoder", entry)).startswith("image: largest error ")
    with pytest.raises(KgenError, match="not the file that was exported"):
        proof.check(copy, "decoder", entry, copy.golden())


@pytest.mark.parametrize(
    ("family", "part", "form", "precision"),
    [("ddpm", "denoiser", "onnx", "int8"), ("vae", "decoder", "tflite", "int8-static")],
)
def test_int8_under_the_name_of_fp16_is_caught_by_its_error(
    bundle, family, part, form, precision
):  # fmt: skip
    copy = bundle(family)
    entry = mutation.entry_of(copy, part, form, "fp16")
    smaller = mutation.entry_of(copy, part, form, precision)
    shutil.copy(copy.path / smaller.path, copy.path / entry.path)
    assert str(mutation.check(copy, part, entry)).endswith("at least 50 dB are asked for")


@pytest.mark.parametrize("form", FORMATS)
def test_fp16_under_the_name_of_fp32_is_caught(bundle, form):
    copy = bundle("vae")
    entry = mutation.entry_of(copy, "decoder", form, "fp16")
    renamed = replace(entry, precision="fp32")
    assert "largest error" in str(mutation.check(copy, "decoder", renamed))


# Golden cases.


def test_a_changed_golden_file_is_refused(bundle):
    copy = bundle("vae")
    path = copy.path / "golden.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(KgenError, match=r"golden\.npz is not the file that was exported"):
        copy.golden()


@pytest.mark.parametrize("form", FORMATS)
def test_another_golden_output_is_caught(bundle, form):
    copy = bundle("vae")
    golden = copy.golden()
    golden["decoder/out/image"][3, 2, 1, 0] += 1e-3
    entry = mutation.entry_of(copy, "decoder", form)
    problem = mutation.check(copy, "decoder", entry, golden)
    # 5e-5 of a range of 1 is allowed.
    assert problem == "image: largest error 0.001, at most 5e-05 is allowed"


@pytest.mark.parametrize("form", FORMATS)
def test_golden_inputs_in_another_order_are_caught(bundle, form):
    copy = bundle("vae")
    golden = copy.golden()
    golden["decoder/in/z"] = golden["decoder/in/z"][::-1].copy()
    entry = mutation.entry_of(copy, "decoder", form)
    assert "largest error" in str(mutation.check(copy, "decoder", entry, golden))


def test_a_file_that_answers_the_same_whatever_it_is_fed_is_caught(bundle):
    copy = bundle("vae")
    entry = mutation.entry_of(copy, "decoder", "onnx")
    golden = copy.golden()
    first = np.repeat(golden["decoder/out/image"][:1], len(golden["decoder/out/image"]), axis=0)

    def freeze(model):
        # The batch comes from the input, the picture from a constant.
        graph = model.graph
        graph.initializer.append(numpy_helper.from_array(first[:1], "frozen"))
        graph.initializer.append(numpy_helper.from_array(np.zeros((8, 1), np.float32), "nothing"))
        graph.initializer.append(numpy_helper.from_array(np.array([-1, 1, 1, 1]), "picture"))
        for node in graph.node:
            node.output[:] = [f"{name}_" if name == "image" else name for name in node.output]
        add = graph.node.add
        add(op_type="MatMul", input=["z", "nothing"], output=["zero"])
        add(op_type="Reshape", input=["zero", "picture"], output=["zeros"])
        add(op_type="Add", input=["zeros", "frozen"], output=["image"])

    mutation.edit(copy.path / entry.path, freeze)
    assert "largest error" in str(mutation.check(copy, "decoder", entry))


def test_a_missing_file_is_refused(bundle):
    copy = bundle("vae")
    entry = mutation.entry_of(copy, "decoder", "onnx")
    (copy.path / entry.path).unlink()
    with pytest.raises(KgenError, match="missing from its bundle"):
        proof.check(copy, "decoder", entry, copy.golden())
