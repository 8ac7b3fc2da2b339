"""The generator as torch-fidelity reads it."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from kgen.errors import KgenError
from kgen.noise import normal
from kgen.pictures import to_uint8
from kgen_exports import fidelity
from kgen_exports.export import export
from kgen_exports.job import Job
from kgen_exports.runtime import load
from tests.exports.real_exports import job

SMALL = {"formats": ("onnx",), "precisions": ("fp32",), "fidelity": True}


@pytest.fixture(scope="module")
def with_file(finished_runs, tmp_path_factory):
    """Return bundles with fidelity.onnx of a gan, whose pictures are in [-1, 1], and a vae."""
    out = tmp_path_factory.mktemp("fidelity")
    for family in ("gan", "vae"):
        parts = {"gan": ("generator",), "vae": ("decoder",)}[family]
        export(job(family, finished_runs / family, parts=parts, **SMALL), out / family)
    return out


def opened(path):
    """Open a file as torch-fidelity does: plainly, first input, first output."""
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()

    def draw(z):
        return session.run(None, {given.name: z})[0]

    return draw


@pytest.mark.parametrize("family", ["gan", "vae"])
def test_it_draws_the_bytes_that_the_bundle_draws(with_file, family):
    bundle = load(with_file / family)
    count = 64  # as many as the bundle gives ONNX Runtime at a time: the same floats, bit for bit
    z = normal(7, (count, bundle.manifest.latent_dim))
    made = opened(with_file / family / fidelity.FILE_NAME)(z)
    expected = bundle.generate(count, seed=7, runtime="onnxruntime")
    assert made.dtype == np.uint8
    assert made.shape == (count, 3, 16, 16)
    # The test's pictures must use the range, or a wrong scale could pass.
    assert expected.min() < 64 < 192 < expected.max()
    for channel in range(3):
        np.testing.assert_array_equal(made[:, channel], expected[..., 0])


@pytest.mark.parametrize("family", ["gan", "vae"])
def test_it_lies_beside_the_files_and_is_none_of_them(with_file, family):
    folder = with_file / family
    bundle = load(folder)
    assert fidelity.FILE_NAME not in {entry.path for _, entry in bundle.manifest.files()}
    assert all(check.problem is None for check in bundle.self_test())
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "`fidelity.onnx` is none of them" in readme


def test_a_bundle_without_it_does_not_speak_of_it(exported):
    readme = (exported("gan").path / "README.md").read_text(encoding="utf-8")
    assert "fidelity" not in readme
    assert not (exported("gan").path / fidelity.FILE_NAME).exists()


def passing_on(channels: int) -> onnx.ModelProto:
    """Make a model that hands its input on as the picture."""
    shape = ["batch", 2, 8, channels]
    return helper.make_model(
        helper.make_graph(
            [helper.make_node("Identity", ["z"], ["image"])],
            "passing_on",
            [helper.make_tensor_value_info("z", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("limits", [(-1.0, 1.0), (0.0, 1.0)])
def test_bytes_are_those_of_to_uint8_ties_and_outliers_among_them(tmp_path, channels, limits):
    low, high = limits
    image = {"range": limits, "height": 2, "width": 8, "channels": channels}
    onnx.save(fidelity.with_bytes(passing_on(channels), image), tmp_path / "m.onnx")
    ties = (np.arange(-3, 259) + 0.5) / 255 * (high - low) + low
    near = [np.nextafter(ties.astype(np.float32), to) for to in (-9, 9)]
    random = low + (high - low) * (0.5 + normal(0, 40_000))
    values = np.concatenate([ties, *near, [low - 5, high + 5], random]).astype(np.float32)
    values = values[: len(values) // 48 * 48].reshape(-1, 2, 8, channels)
    made = opened(tmp_path / "m.onnx")(values)
    expected = to_uint8(values, low, high).transpose(0, 3, 1, 2)
    assert len(np.unique(expected)) == 256
    np.testing.assert_array_equal(made, np.broadcast_to(expected, made.shape))


@pytest.mark.parametrize(
    ("family", "asked", "message"),
    [
        ("ddpm", {}, "Of a ddpm, write pictures with kgen generate"),
        ("gan", {"formats": ("tflite",)}, "Received: no onnx"),
        ("gan", {"precisions": ("fp16",)}, "Received: no fp32"),
        ("vae", {"parts": ("encoder",), "precisions": ("int8",)}, "no fp32 and no decoder"),
    ],
)
def test_what_it_is_made_of_must_be_asked_for(family, asked, message):
    with pytest.raises(KgenError, match=message):
        Job(run="run", family=family, fidelity=True, **asked)


def test_a_file_that_draws_something_else_is_refused(with_file, tmp_path, monkeypatch):
    bundle = load(with_file / "gan")
    real = fidelity.with_bytes
    monkeypatch.setattr(
        fidelity, "with_bytes", lambda model, image: real(model, {**image, "range": (-0.9, 1.0)})
    )
    with pytest.raises(KgenError, match="does not draw what the model draws"):
        fidelity.write(bundle, tmp_path)
