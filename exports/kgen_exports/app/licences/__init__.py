"""LICENSES.txt of an app: whose work is in it, under which terms."""

from collections.abc import Sequence
from pathlib import Path

from kgen import __version__
from kgen.files import write_text
from kgen_exports.app.models import Model
from kgen_exports.app.packages import LITERT, LITERT_UTILS, ORT

FILE_NAME = "LICENSES.txt"
RULE = "=" * 78


def write(folder: Path, models: Sequence[Model], runtimes: Sequence[str]) -> None:
    """Write the licences of an app into its folder.

    Args:
        folder: of the site.
        models: in it.
        runtimes: shipped with it.
    """
    sections = [
        "What this app is made of, and under which terms.",
        *(_model(model) for model in models),
        f"The app: kgen {__version__}, everything but the folders models/ and vendor/\n"
        "Apache License 2.0, text below.",
    ]
    if "onnxruntime" in runtimes:
        sections.append(
            f"vendor/onnxruntime/: {ORT.wanted}, unmodified\n\n"
            f"{_text('onnxruntime')}\n"
            "The WebAssembly file is compiled from ONNX Runtime and the libraries that it names\n"
            "in ThirdPartyNotices.txt of github.com/microsoft/onnxruntime."
        )
    if "litert" in runtimes:
        sections.append(
            f"vendor/litert/: {LITERT.wanted} and {LITERT_UTILS.wanted}, by the LiteRT authors\n"
            "(github.com/google-ai-edge/LiteRT). Apache License 2.0, text below.\n"
            "Modified: index.js imports ./wasm-utils.js instead of @litertjs/wasm-utils."
        )
    sections.append(_text("apache-2.0"))
    write_text(folder / FILE_NAME, f"\n\n{RULE}\n\n".join(sections) + "\n")


def _model(model: Model) -> str:
    """Say on what a model was trained, and what follows from it."""
    data = model.manifest.data
    return (
        f"models/{model.name}/: {model.title}\n"
        f"Trained on: {data['name'] or 'pictures of its maker'}. "
        f"Licence of the data: {data['licence']}.\n{data['note']}"
    )


def _text(name: str) -> str:
    """Read a licence."""
    return Path(__file__).with_name(f"{name}.txt").read_text(encoding="utf-8").strip("\n")
