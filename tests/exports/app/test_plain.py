"""The JavaScript engine, run on Node.js, against ONNX Runtime."""

import json

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from kgen.errors import KgenError
from kgen_exports.app import plain
from kgen_exports.export import export
from kgen_exports.runtime import load
from kgen_exports.runtime.bundle import digest
from tests.exports.app import plans
from tests.exports.real_exports import job

FAMILIES = ("gan", "ae", "vae", "vae_flow")
IMAGE = (1, 4, 6, 5)
"""Batch, channels, height, width: all different, so that no two can be mixed up."""
RNG = np.random.default_rng(7)


def weights(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def graph_of(nodes, constants, shape, dtype=TensorProto.FLOAT, others=()):
    """Build a model from x, and other inputs of the same shape, to y, whose shape is left open."""
    graph = helper.make_graph(
        nodes,
        "one",
        [helper.make_tensor_value_info(name, dtype, shape) for name in ("x", *others)],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def one(kind, shape, *constants, before=(), others=(), **attributes):
    """Build a model of one operation; constants follow x, or go before it."""
    named = {f"c{i}": c for i, c in enumerate((*before, *constants))}
    names = list(named)
    inputs = [*names[: len(before)], "x", *others, *names[len(before) :]]
    nodes = [helper.make_node(kind, inputs, ["y"], **attributes)]
    return graph_of(nodes, named, shape, others=others)


def convolution(out=3, kernel=(3, 2), bias=True, **attributes):
    constants = [weights(out, IMAGE[1], *kernel), *([weights(out)] if bias else [])]
    return one("Conv", IMAGE, *constants, **attributes)


def indices(*values):
    return np.array(values, np.int64)


OPERATIONS = {
    "conv": convolution(),
    "conv_1x1_without_bias": convolution(kernel=(1, 1), bias=False),
    "conv_padded_unevenly": convolution(pads=[2, 0, 1, 3]),
    "conv_of_stride_2": convolution(kernel=(4, 4), strides=[2, 2], pads=[1, 1, 1, 1]),
    "conv_of_uneven_strides": convolution(strides=[2, 3], pads=[1, 1, 1, 1]),
    "conv_dilated": convolution(kernel=(3, 3), dilations=[2, 1], pads=[2, 1, 2, 1]),
    "conv_same_upper": convolution(kernel=(2, 4), auto_pad="SAME_UPPER"),
    "conv_same_lower": convolution(kernel=(2, 4), strides=[2, 1], auto_pad="SAME_LOWER"),
    "conv_valid": convolution(auto_pad="VALID"),
    "conv_of_5_channels": convolution(out=5, kernel=(3, 3)),
    "matmul": one("MatMul", (1, 7), weights(7, 9)),
    "matmul_of_rows": one("MatMul", (1, 3, 2, 7), weights(7, 6)),
    "gemm": one("Gemm", (1, 7), weights(7, 5), weights(5)),
    "gemm_transposed": one("Gemm", (1, 7), weights(5, 7), weights(1, 5), transB=1),
    "gemm_of_rows_with_a_scalar": one("Gemm", (3, 7), weights(7, 5), weights(1)),
    "transpose": one("Transpose", IMAGE, perm=[0, 2, 3, 1]),
    "transpose_reversed": one("Transpose", (2, 3, 4)),
    "depth_to_space": one("DepthToSpace", (1, 8, 2, 3), blocksize=2),
    "depth_to_space_crd": one("DepthToSpace", (1, 8, 2, 3), blocksize=2, mode="CRD"),
    "slice": one("Slice", IMAGE, indices(1, -3), indices(3, 100), indices(1, 3)),
    "slice_backwards": one(
        "Slice", IMAGE, indices(-1, 4), indices(-100, 0), indices(3, 2), indices(-1, -2)
    ),
    "slice_of_leading_axes": one("Slice", IMAGE, indices(0, 2), indices(1, 4)),
    "reshape": one("Reshape", IMAGE, indices(1, -1)),
    "squeeze": one("Squeeze", (1, 3, 1, 5), indices(2)),
    "unsqueeze": one("Unsqueeze", (1, 3), indices(1)),
    "flatten": one("Flatten", IMAGE),
    "relu": one("Relu", IMAGE),
    "leaky_relu": one("LeakyRelu", IMAGE, alpha=0.2),
    "leaky_relu_of_the_usual_slope": one("LeakyRelu", IMAGE),
    "tanh": one("Tanh", IMAGE),
    "sigmoid": one("Sigmoid", IMAGE),
    "exp": one("Exp", IMAGE),
    "add_a_scalar": one("Add", IMAGE, weights()),
    "add_per_pixel": one("Add", IMAGE, weights(5)),
    "mul_per_channel": one("Mul", IMAGE, weights(4, 1, 1)),
    "mul_per_row_and_channel": one("Mul", IMAGE, weights(1, 4, 6, 1)),
    "mul_per_channel_and_pixel": one("Mul", IMAGE, weights(4, 1, 5)),
    "sub_a_constant": one("Sub", IMAGE, weights(4, 6, 5)),
    "sub_from_a_constant": one("Sub", IMAGE, before=[weights(6, 1)]),
    "div_by_a_constant": one("Div", IMAGE, 2 + weights(5) ** 2),
    "div_a_constant": one("Div", IMAGE, before=[np.float32(0.5)]),
    **{f"{kind.lower()}_of_two": one(kind, IMAGE, others=["z"])
       for kind in ("Add", "Sub", "Mul", "Div")},
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Run every operation both ways."""
    folder = tmp_path_factory.mktemp("operations")
    files = {name: folder / f"{name}.onnx" for name in OPERATIONS}
    for name, model in OPERATIONS.items():
        files[name].write_bytes(model.SerializeToString())
    return plans.both(files, folder / "plans")


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_onnx_runtimes(name, made):
    ((found, expected),) = made[name]
    assert expected.size > 1
    # All of it float32 but for the order of sums: a few ulp of numbers below 10 (and of a quotient
    # by the smallest of 120 normals, relatively as many).
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


@pytest.fixture(scope="module")
def networks(exported, finished_runs, tmp_path_factory):
    """Run every network that draws or reads pictures both ways."""
    folders = {family: exported(family).path for family in FAMILIES}
    for family in ("gan_mlp", "vae_mlp"):
        folders[family] = tmp_path_factory.mktemp("bundles") / family
        wanted = {"formats": ("onnx",), "precisions": ("fp16",)}
        export(job(family.partition("_")[0], finished_runs / family, **wanted), folders[family])
    files = {}
    for family, folder in folders.items():
        bundle = load(folder)
        for part in bundle.manifest.parts:
            if part != "discriminator":
                entry = bundle.entry(part, "fp16", "onnxruntime")
                files[f"{family}-{part}"] = bundle.path / entry.path
    return plans.both(files, tmp_path_factory.mktemp("networks") / "plans")


def test_every_network_of_every_family_runs(networks):
    assert set(networks) == {
        "gan-generator", "gan_mlp-generator", "ae-decoder", "ae-encoder", "vae-decoder",
        "vae-encoder", "vae_flow-decoder", "vae_flow-encoder", "vae_mlp-decoder",
        "vae_mlp-encoder",
    }  # fmt: skip
    for name, outputs in networks.items():
        for found, expected in outputs:
            assert expected.std() > 1e-3, name
            # The file's own weights are float16 already. What ONNX Runtime folds into them (a batch
            # norm's scale) is rounded to float16 once more: half an ulp of 2**-11 per weight, of
            # which sums of independent signs keep about as much relative to the output's spread.
            error = np.sqrt(np.mean((found - expected) ** 2)) / expected.std()
            assert error < 2**-10, name


def test_small_weights_keep_all_their_bits_and_large_ones_half_of_them(tmp_path):
    plan = plain.plan_of(saved(tmp_path, one("MatMul", (1, 64), weights(64, 8))))
    layout, data = plain.packed(plan)
    (wide,) = [entry for entry in layout if entry[2] == 512]
    (small,) = [entry for entry in layout if entry[2] == 8]
    assert (wide[0], small[0]) == ("f2", "f4")
    assert len(data) == 512 * 2 + 8 * 4
    assert small[1] % 4 == 0
    assert wide[1] % 2 == 0


def test_weights_beyond_float16_stay_float32(tmp_path):
    plan = plain.plan_of(saved(tmp_path, one("MatMul", (1, 64), 7e4 * np.ones((64, 8), "f4"))))
    assert {entry[0] for entry in plain.packed(plan)[0]} == {"f4"}


def test_the_entry_names_the_files_and_their_hashes(tmp_path):
    source = saved(tmp_path, one("MatMul", (1, 7), weights(7, 3)))
    entry = plain.write(source, tmp_path / "site", "decoder")
    assert entry == {
        "plan": "decoder.plain.json",
        "weights": "decoder.plain.bin",
        "sha256": {
            name: digest(tmp_path / "site" / name)
            for name in ("decoder.plain.json", "decoder.plain.bin")
        },
    }
    plan = json.loads((tmp_path / "site" / "decoder.plain.json").read_text())
    assert (plan["schema"], plan["inputs"]) == ("kgen-plain-1", {"x": 0})


def saved(folder, model):
    path = folder / "part.onnx"
    path.write_bytes(model.SerializeToString())
    return path


REFUSED = {
    "another_operation": (one("Softmax", IMAGE), "the operation Softmax"),
    "groups": (one("Conv", IMAGE, weights(4, 1, 3, 3), group=4), "in groups"),
    "biases": (one("Gemm", (3, 7), weights(7, 5), weights(3, 5)), "another bias for every row"),
    "factors": (one("Gemm", (1, 7), weights(7, 5), alpha=0.5), "other factors"),
    "a_computed_matrix": (one("MatMul", (4, 4), others=["z"]), "z, which is computed"),
    "whole_numbers": (
        graph_of([helper.make_node("Cast", ["x"], ["y"], to=1)], {}, (1, 3), TensorProto.INT32),
        "the input x, which is not float32",
    ),
    "spreading": (one("Add", (1, 3), weights(4, 3)), "makes an array larger"),
    "a_shape_that_is_fed": (
        graph_of([helper.make_node("Relu", ["x"], ["y"])], {}, (1, "n")),
        "whose size depends on what is fed",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_engine_lacks_is_refused_in_words(case, tmp_path):
    model, words = REFUSED[case]
    with pytest.raises(KgenError) as caught:
        plain.write(saved(tmp_path, model), tmp_path, "part")
    assert words in str(caught.value)
    assert "--runtimes onnxruntime,litert" in str(caught.value)
    assert not list(tmp_path.glob("*.plain.*"))


def test_a_denoiser_is_refused(exported, tmp_path):
    bundle = load(exported("ddpm").path)
    entry = bundle.entry("denoiser", "fp32", "onnxruntime")
    with pytest.raises(KgenError, match="The JavaScript engine cannot run"):
        plain.write(bundle.path / entry.path, tmp_path, "denoiser")


def test_a_file_that_is_not_onnx_is_refused(tmp_path):
    (tmp_path / "part.onnx").write_bytes(b"no model")
    with pytest.raises(KgenError, match=r"part\.onnx"):
        plain.write(tmp_path / "part.onnx", tmp_path, "part")
