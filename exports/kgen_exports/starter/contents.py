"""What a starter takes from a bundle: the files that an app opens, and what it compares with."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from kgen.errors import KgenError
from kgen_exports.manifest import PRECISIONS, FileEntry, Manifest
from kgen_exports.proof import FP32_SHARE, LEAST_DB
from kgen_exports.runtime import Bundle
from kgen_exports.runtime.bundle import DRAWING_PART
from kgen_exports.runtime.session import RUNTIMES

GOLDEN_NUMBERS = 2**14
"""Most numbers of golden pictures in an app; one picture is there however large."""
TOLD = {"onnxruntime": "ONNX Runtime", "litert": "LiteRT"}


def choose_files(
    bundle: Bundle, runtimes: tuple[str, ...], precision: str
) -> tuple[str, dict[str, FileEntry]]:
    """Choose the runtime and the model files of an app.

    Args:
        bundle: whose files they are.
        runtimes: those to choose from, the best first.
        precision: of the files; of fp16, fp32 where there is no such file.

    Returns:
        The first runtime that there is a file for, and its file of each part that draws.

    Raises:
        KgenError: there is none.
    """
    if precision not in PRECISIONS:
        raise KgenError(
            f"precision takes one of {', '.join(PRECISIONS)}. Received: precision={precision!r}."
        )
    parts = parts_that_draw(bundle.manifest)
    for runtime in runtimes:
        found = {
            part: entry
            for part in parts
            if (entry := _file(bundle.manifest, part, RUNTIMES[runtime], precision)) is not None
        }
        if found:
            return runtime, found
    there = sorted(
        f"{entry.format} {entry.precision}, {entry.batch or 'any number of'} pictures a call"
        for part, entry in bundle.manifest.files()
        if part in parts
    )
    raise KgenError(
        f"This starter takes a file of the {' or '.join(parts)} for "
        f"{' or '.join(TOLD[name] for name in runtimes)} in {precision}, of one picture a call. "
        f"Received: {bundle.path}, which has {'; '.join(there) or 'none'}. Choose another "
        "precision or runtime, or export again, without --onnx, --tflite or --batch."
    )


def parts_that_draw(manifest: Manifest) -> tuple[str, ...]:
    """List the parts that draw pictures; of a ddpm both the denoiser and the whole sampler."""
    part = DRAWING_PART[manifest.kind]
    return (part, "sampler") if manifest.sampler is not None else (part,)


def _file(manifest: Manifest, part: str, form: str, precision: str) -> FileEntry | None:
    """Find the file of a part that draws one picture a call; of several that of a known shape."""
    if part not in manifest.parts:
        return None
    for wanted in dict.fromkeys((precision, "fp32" if precision == "fp16" else precision)):
        found = [e for e in manifest.parts[part].of(form, wanted) if e.batch in (None, 1)]
        if found:
            return found[-1]
    return None


def starter_json(
    manifest: Manifest, files: Mapping[str, FileEntry], golden: Mapping[str, np.ndarray]
) -> str:
    """Write starter.json: which files of kgen.json an app has, and the pictures that Keras drew.

    Args:
        manifest: of the bundle.
        files: by part.
        golden: the golden cases, as from `Bundle.golden`.
    """
    case = "sampler" if manifest.sampler is not None else DRAWING_PART[manifest.kind]
    pictures = golden[f"{case}/out/image"]
    count = max(1, min(len(pictures), GOLDEN_NUMBERS // pictures[0].size))
    labels = golden.get(f"{case}/in/label")
    values: dict[str, Any] = {
        "files": {part: entry.path for part, entry in files.items()},
        "gates": {"fp32_share": FP32_SHARE, "least_db": LEAST_DB},
        "golden": {
            "seed": manifest.golden["seed"],
            "labels": None if labels is None else labels[:count].astype(int).tolist(),
            "pictures": [[_short(x) for x in picture.reshape(-1)] for picture in pictures[:count]],
        },
    }
    return json.dumps(values, separators=(",", ":"), allow_nan=False)


def _short(value: np.float32) -> float:
    """Round to seven digits, which is within half a unit of float32's last place or two."""
    return float(f"{value:.7g}")
