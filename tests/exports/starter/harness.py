"""What the core of a starter is asked in every language, and what it must answer.

The programs beside this file read a case (JSON), ask the core, and write what they found (JSON). In
place of a runtime they compute the networks of tests/exports/tiny_bundle.py by hand. The oracle is
kgen's own noise and NumPy in float64.
"""

import base64
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from kgen.noise import normal
from kgen.pictures import to_uint8
from kgen_exports.manifest import TensorSpec
from kgen_exports.runtime import Bundle, load
from kgen_exports.sampler import COLUMNS, SamplerTable, walk
from kgen_exports.starter import write_starter
from tests.core.test_noise import number, rows
from tests.exports import tiny_bundle

KINDS = (
    "gan", "vae", "ddpm", "ddpm with noise", "ddpm with ddim", "gan with labels",
    "ddpm with labels",
)  # fmt: skip
SEED, INDEX, LABEL = 11, 3, 2
RESPACED = [(10, 0.0), (4, 0.0), (4, 1.0), (3, 0.5), (1, 1.0)]
BROKEN = 0.1
# The cores compute in float32 what the oracle computes in float64: sums of 16 products below 10,
# and four steps. Those of dpmpp let an error of the noise grow at most 20 times, of the steps
# themselves 11, 4, 1 and 1 times: 37 roundings of numbers below 8, which are 4.8e-7 apart.
ATOL = 2e-5
# Neighbouring float32 numbers below 8 are 4.8e-7 apart: docs/noise.md, "Normals".
NOISE_ATOL = 1e-6


def make(folder: Path, kind: str) -> Bundle:
    """Write a tiny bundle that has files for every runtime.

    The TFLite files are ONNX files under other names: the programs here do not open them.
    """
    family, _, extra = kind.partition(" with ")
    sampler, eta = "ddim" if extra == "ddim" else "dpmpp", 0.7 if extra == "noise" else 0.0
    bundle = tiny_bundle.make(folder, family, sampler=sampler, eta=eta)
    parts = {}
    for name, part in bundle.manifest.parts.items():
        twins = []
        for entry in part.files:
            if entry.batch == 1:
                path = entry.path.replace(".b1.onnx", ".tflite")
                shutil.copy(folder / entry.path, folder / path)
                twins.append(replace(entry, path=path, format="tflite", opset=None))
        inputs = part.inputs
        if extra == "labels":
            inputs += (TensorSpec(name="label", shape=(None,), dtype="int32", range=(0, 2)),)
        parts[name] = replace(part, inputs=inputs, files=(*part.files, *twins))
    labels = ("coat", "boot", "shirt") if extra == "labels" else None
    replace(bundle.manifest, parts=parts, labels=labels).write(folder)
    return load(folder)


def project(bundle: Bundle, language: str, out: Path, **options) -> Path:
    """Write a starter and return its folder."""
    write_starter(bundle, language, out, name="Tiny Test", **options)
    return out


def case(bundle: Bundle) -> dict:
    """Write down what a program is asked."""
    table = bundle.manifest.sampler
    return {
        "weights": weights(bundle).reshape(-1).tolist(),
        "activation": "tanh" if bundle.manifest.kind == "gan" else "sigmoid",
        "latent": bundle.manifest.latent_dim or 0,
        "size": tiny_bundle.PIXELS,
        "table": [] if table is None else table_rows(table),
        "words": [[number(s), number(t), number(b)] for s, t, b, _ in rows("Words")],
        "normals": [[number(s), number(t), number(e)] for s, t, e, _ in rows("Normals")],
        "respaced": [] if table is None else RESPACED,
        "draw": {"seed": SEED, "index": INDEX, "label": LABEL if bundle.labels else 0},
        "broken": BROKEN,
    }


def weights(bundle: Bundle) -> np.ndarray:
    """Return the weights of the part that draws, as tiny_bundle.make has them."""
    if bundle.manifest.sampler is not None:
        return normal(3, tiny_bundle.SHAPE) * 0.5
    return normal(0, (tiny_bundle.LATENT, tiny_bundle.PIXELS)) * 0.3


def table_rows(table: SamplerTable) -> list[list[float]]:
    """Write a table as rows: timestep, then the six numbers."""
    columns = [getattr(table, name) for name in COLUMNS]
    return [list(row) for row in zip(table.timesteps, *columns, strict=True)]


def verify(found: dict, bundle: Bundle) -> None:
    """Compare what a program found with kgen's own."""
    assert [[f"{w:08x}" for w in four] for four in found["words"]] == [
        row[3].split() for row in rows("Words")
    ]
    shown = [[float(x) for x in row[3].split()] for row in rows("Normals")]
    np.testing.assert_allclose(found["normals"], shown, rtol=0, atol=NOISE_ATOL)
    verify_tables(found["tables"], bundle.manifest.sampler)
    verify_pictures(found["drawn"], bundle)
    assert found["stopped"] == "stopped"
    ways = {"ddpm": 2}.get(bundle.manifest.kind, 1)
    verify_checks(found, ways, bundle)


def verify_tables(tables: list, table: SamplerTable | None) -> None:
    """Compare tables with other steps with those of `SamplerTable`."""
    if table is None:
        assert tables == []
        return
    for made, (steps, eta) in zip(tables, RESPACED, strict=True):
        expected = np.array(table_rows(table.respaced(steps, eta)))
        # Both compute in float64 and round to float32: neighbours differ by 2^-23 of their size.
        np.testing.assert_allclose(made, expected, rtol=2**-22, atol=1e-7)


def verify_pictures(drawn: list[dict], bundle: Bundle) -> None:
    """Compare the picture of every way, and what was told on the way."""
    table = bundle.manifest.sampler
    if table is None:
        assert [d["steps"] for d in drawn] == [[[1, 1]]]
        expected = [decoded(bundle)]
    else:
        steps = [d["steps"] for d in drawn]
        assert steps == [[[i + 1, 4] for i in range(4)], [[1, 1]]]
        assert [d["title"] for d in drawn] == ["Step by step, 4", "4 steps in one call"]
        expected = [walked(bundle, table, each=True), walked(bundle, table, each=False)]
    for made, picture in zip(drawn, expected, strict=True):
        np.testing.assert_allclose(made["picture"], picture.reshape(-1), rtol=0, atol=ATOL)


def decoded(bundle: Bundle) -> np.ndarray:
    """Draw the picture of the case from z, in float64."""
    latent = tiny_bundle.LATENT
    flat = normal(SEED, (latent,), start=INDEX * latent).astype(np.float64) @ weights(bundle)
    image = np.tanh(flat) if bundle.manifest.kind == "gan" else 1 / (1 + np.exp(-flat))
    return image + (0.01 * LABEL if bundle.labels else 0.0)


def walked(bundle: Bundle, table: SamplerTable, each: bool) -> np.ndarray:
    """Draw the picture of the case step by step; the class counts in each step, or at the end."""
    shift = 0.01 * LABEL if bundle.labels else 0.0
    shape, start = (1, *tiny_bundle.SHAPE), INDEX * tiny_bundle.PIXELS

    def predict(xt: np.ndarray, t: np.ndarray) -> np.ndarray:
        return np.tanh(xt * weights(bundle) + t.reshape(-1, 1, 1, 1) * 0.05) + shift * each

    image = walk(
        predict, normal(SEED, shape, start=start), table,
        lambda i: normal(SEED, shape, stream=i + 1, start=start),
    )  # fmt: skip
    return image + shift * (not each)


def verify_checks(found: dict, ways: int, bundle: Bundle) -> None:
    """Compare the self-test: the model passes, a network that is off by `BROKEN` does not."""
    assert [check["passed"] for check in found["checks"]] == [True] * ways
    # tiny_bundle's golden cases are float64's; starter.json keeps seven digits of them.
    assert max(check["maxAbs"] for check in found["checks"]) < ATOL
    assert [check["passed"] for check in found["broken"]] == [False] * ways
    assert found["nan"] == [False] * ways
    low, high = bundle.manifest.image["range"]
    whole = found["broken"][-1]
    assert abs(whole["maxAbs"] - BROKEN) < ATOL
    # Every pixel is off by BROKEN: 20 log10(range / BROKEN), to the rounding above.
    assert abs(whole["psnr"] - 20 * np.log10((high - low) / BROKEN)) < 0.01


def bytes_of(found: dict, bundle: Bundle) -> np.ndarray:
    """Return the first picture that was found as kgen makes bytes of it, uint8 (H, W, C)."""
    values = np.array(found["drawn"][0]["picture"], np.float32)
    return to_uint8(values.reshape(bundle.image_shape), *bundle.manifest.image["range"])


def png_of(found: dict) -> np.ndarray:
    """Read the PNG that was found, uint8 (H, W, C)."""
    with Image.open(io.BytesIO(base64.b64decode(found["pixels"]))) as image:
        image.load()
        pixels = np.asarray(image)
    return pixels.reshape(*pixels.shape[:2], -1)


def write_case(path: Path, bundle: Bundle) -> Path:
    """Write the case of a bundle into a file."""
    path.write_text(json.dumps(case(bundle)), encoding="utf-8")
    return path
