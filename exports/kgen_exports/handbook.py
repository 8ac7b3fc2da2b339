"""A bundle's README: everything an app's developer needs who has the folder and nothing else.

It is made from the manifest, and holds what this bundle has and no more: text from
snippets/readme/readme.txt, programs from `kgen_exports.programs`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kgen.files import write_text
from kgen_exports import fidelity
from kgen_exports.manifest import FileEntry, Manifest, TensorSpec
from kgen_exports.programs import Programs, fill, ways, words_of
from kgen_exports.runtime import Bundle

FILE_NAME = "README.md"
MODELS = {"gan": "GAN", "ae": "autoencoder", "vae": "VAE", "ddpm": "diffusion model"}
TITLES = {
    "python": "Python",
    "javascript": "JavaScript",
    "kotlin": "Kotlin (Android)",
    "swift": "Swift (iOS)",
}
TAKE = {
    "fp32": "the reference: the model as it was trained",
    "fp16": "what to ship: half the size, the same pictures to the eye",
    "int8": "the smallest download; look at its pictures first",
    "int8-static": "devices that compute in int8; look at its pictures first",
}


def write(folder: Path, manifest: Manifest) -> None:
    """Write the README of a bundle.

    Args:
        folder: of the bundle, with its golden cases.
        manifest: with the files that are in it, and their errors.

    Raises:
        KgenError: the golden cases are missing or changed, or the file cannot be written.
    """
    golden = Bundle(folder, manifest).golden()
    beside = (folder / fidelity.FILE_NAME).is_file()
    write_text(folder / FILE_NAME, readme(manifest, golden, beside))


def readme(
    manifest: Manifest, golden: Mapping[str, np.ndarray], with_fidelity: bool = False
) -> str:
    """Make the README of a bundle, in Markdown.

    Args:
        manifest: with the files that are in it, and their errors.
        golden: the golden cases, as from `Bundle.golden`.
        with_fidelity: whether `fidelity.onnx` lies beside them.
    """
    parts, image, training = manifest.parts, manifest.image, manifest.training
    low, high = image["range"]
    outputs = {spec.name for part in parts.values() for spec in part.outputs}
    words = words_of(manifest) | (outputs & {"logvar"})
    words |= {"draws"} if ways(manifest) else set()
    words |= {"trained"} if training.get("step") and training.get("backend") else set()
    words |= {"labels"} if manifest.labels else set()
    words |= {entry.format for _, entry in manifest.files()}
    words |= {"sampler"} if "loop" in words else set()
    words |= {"fidelity"} if with_fidelity else set()
    values = {
        "model": MODELS[manifest.kind], "height": image["height"], "width": image["width"],
        "colours": {"grey": "grey", "rgb": "colour"}[image["colour"]],
        "order": {"grey": "grey", "rgb": "red, green, blue"}[image["colour"]],
        "to_uint8": image["to_uint8"], "low": f"{low:g}", "high": f"{high:g}",
        "size": image["height"] * image["width"] * image["channels"],
        "latent": manifest.latent_dim, "kgen": plain(manifest.kgen), "created": manifest.created,
        "step": plain(training.get("step")), "backend": plain(training.get("backend")),
        "data_name": plain(manifest.data["name"]), "data_note": plain(manifest.data["note"]),
        "data_licence": plain(manifest.data["licence"]),
        "labels": ", ".join(plain(label) for label in manifest.labels or ()),
        "seed": manifest.golden["seed"], "count": manifest.golden["count"],
        "files": "\n".join(file_row(entry) for _, entry in manifest.files()),
        "tensors": "\n".join(tensor_rows(manifest)),
        "programs": "\n".join(program_blocks(Programs(manifest, golden))),
    }  # fmt: skip
    return fill("readme", values, words) + "\n"


def file_row(entry: FileEntry) -> str:
    """Write a file's row of the table."""
    worst = min(entry.error.values(), key=lambda e: e["psnr_db"], default=None)
    error = entry.picture or worst
    measured = f"{error['psnr_db']:.1f} | {error['max_abs']:.2g}" if error else "- | -"
    return (
        f"| `{entry.path}` | {entry.precision} | {entry.batch or 'any'} | "
        f"{entry.bytes / 1000:,.0f} | {measured} | {TAKE[entry.precision]} |"
    )


def tensor_rows(manifest: Manifest) -> Iterator[str]:
    """Write the rows of the table of inputs and outputs."""
    for name, part in manifest.parts.items():
        for what, specs in (("in", part.inputs), ("out", part.outputs)):
            for spec in specs:
                shape = ", ".join("B" if n is None else str(n) for n in spec.shape)
                row = (name, what, f"`{spec.name}`", f"({shape})", spec.dtype, values_of(spec))
                yield f"| {' | '.join(row)} |"


def values_of(spec: TensorSpec) -> str:
    """Say which values a tensor has."""
    if spec.distribution is not None:
        return "standard normal noise"
    return f"{spec.range[0]:g} to {spec.range[1]:g}" if spec.range else "any"


def program_blocks(programs: Programs) -> Iterator[str]:
    """Write the sections of all languages: a heading and a block of code for each program."""
    for language, title in TITLES.items():
        for i, program in enumerate(programs.of(language)):
            if i == 0:
                yield f"## {title}\n"
            yield f"### `{program.name}`: {program.title}\n"
            yield f"```{language}\n{program.code.strip()}\n```\n"


def plain(value: Any) -> str:
    """Show a value in a line of Markdown: on one line, and with nothing that formats."""
    text = " ".join(str(value).split())
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>|#~" else c for c in text)
