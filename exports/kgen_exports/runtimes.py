"""The oldest runtimes that were seen to draw what they should: a bundle's `min_runtime`.

Phones carry the runtime that an app was built with, often years old. These versions are measured,
not read off a list of operators: `make test-old-runtimes` installs exactly them and puts every kind
of file that kgen writes through the proof.
"""

from collections.abc import Iterable

from kgen_exports.runtime.session import RUNTIMES

OLDEST = {"onnxruntime": "1.19.0", "litert": "1.4.0"}
"""Oldest version that was tried, and passes, by the runtime's name. LiteRT 1.4.0 is what
react-native-fast-tflite 3.0 builds in."""
PACKAGES = {"onnxruntime": "onnxruntime", "litert": "ai-edge-litert"}
"""Where Python has each runtime, by its name."""


def oldest(formats: Iterable[str]) -> dict[str, str]:
    """Return the oldest versions that run files of these formats, by the runtime's name."""
    asked = set(formats)
    return {name: OLDEST[name] for name, form in RUNTIMES.items() if form in asked}
