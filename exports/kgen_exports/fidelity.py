"""The generator in the form that torch-fidelity reads: noise in, bytes out.

`fidelity.onnx` is the float32 file of what draws, with the rule for bytes behind it: z, float32
(N, latent_dim), to image, uint8 (N, 3, height, width); a grey picture is the same in all three
channels. It lies beside the bundle's files and is none of them: no app wants it, and the manifest
does not list it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kgen.errors import KgenError
from kgen_exports.runtime.bundle import DRAWING_PART, Bundle
from kgen_exports.runtime.session import open_session

if TYPE_CHECKING:
    from onnx import ModelProto

FILE_NAME = "fidelity.onnx"


def write(bundle: Bundle, folder: Path) -> Path:
    """Write the file, and prove on the golden cases that it draws their bytes.

    Args:
        bundle: of a gan, an ae or a vae, whose float32 ONNX file was proven.
        folder: where.

    Raises:
        KgenError: it draws something else.
    """
    import onnx

    from kgen_exports.to_onnx import finish

    part = DRAWING_PART[bundle.manifest.kind]
    source = bundle.path / bundle.entry(part, "fp32", "onnxruntime").path
    model = with_bytes(onnx.load(source), bundle.manifest.image)
    path = folder / FILE_NAME
    finish.write(
        model, path, name="fidelity", metadata=bundle.manifest.embedded(),
        licence=bundle.manifest.data["licence"],
    )  # fmt: skip
    _check(bundle, part, path)
    return path


def with_bytes(model: "ModelProto", image: Mapping[str, Any]) -> "ModelProto":
    """Put the rule for bytes behind a model's output ``image``.

    The operations are those of :func:`kgen.pictures.to_uint8`, one by one and in its order, in
    float32: subtract, multiply, round half to even, clip, cast.

    Args:
        model: `onnx.ModelProto` with the output image, float32 (N, height, width, channels); it
            is changed.
        image: the manifest's description of a picture.
    """
    from onnx import TensorProto, helper, numpy_helper

    low, high = image["range"]
    numbers = {
        "kgen_low": np.array(low, np.float32),
        "kgen_scale": np.array(255.0 / (high - low), np.float32),
        "kgen_black": np.array(0, np.float32),
        "kgen_white": np.array(255, np.float32),
    }
    graph = model.graph
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = ["kgen_floats" if name == "image" else name for name in names]
    copies = 3 // image["channels"]
    graph.node.extend([
        helper.make_node("Sub", ["kgen_floats", "kgen_low"], ["kgen_above_low"]),
        helper.make_node("Mul", ["kgen_above_low", "kgen_scale"], ["kgen_scaled"]),
        helper.make_node("Round", ["kgen_scaled"], ["kgen_rounded"]),
        helper.make_node("Clip", ["kgen_rounded", "kgen_black", "kgen_white"], ["kgen_clipped"]),
        helper.make_node("Cast", ["kgen_clipped"], ["kgen_bytes"], to=TensorProto.UINT8),
        helper.make_node("Transpose", ["kgen_bytes"], ["kgen_planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Concat", ["kgen_planes"] * copies, ["image"], axis=1),
    ])  # fmt: skip
    graph.initializer.extend(numpy_helper.from_array(a, name) for name, a in numbers.items())
    batch = graph.input[0].type.tensor_type.shape.dim[0].dim_param
    shape = [batch, 3, image["height"], image["width"]]
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("image", TensorProto.UINT8, shape))
    del graph.value_info[:]
    return model


def _check(bundle: Bundle, part: str, path: Path) -> None:
    """Compare with the bytes of what Keras drew of the golden noise.

    Raises:
        KgenError: they differ by more than rounding.
    """
    golden = bundle.golden()
    session = open_session(path, runtime="onnxruntime")
    made = session.run({"z": golden[f"{part}/in/z"]})["image"]
    expected = bundle.pictures(golden[f"{part}/out/image"]).transpose(0, 3, 1, 2)
    # Within the proof's 5e-5 of the range a level is crossed in a few pixels of a thousand.
    if made.shape[1] != 3 or np.abs(made.astype(int) - expected).max() > 1:
        raise KgenError(
            f"{FILE_NAME} does not draw what the model draws. Export without --fidelity, and "
            "report this."
        )
