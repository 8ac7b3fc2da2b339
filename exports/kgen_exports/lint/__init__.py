"""What would hurt on a device, for any ONNX or TFLite file: read as data, never run.

Each rule is a heading of docs/lint.md, with why it hurts and what to do.
"""

from collections.abc import Mapping
from pathlib import Path

from kgen.errors import KgenError
from kgen_exports.lint.report import Finding, Report, TensorInfo, Verdict

__all__ = ["Finding", "Report", "TensorInfo", "Verdict", "lint"]


def lint(path: Path, *, peaks: Mapping[str, float] | None = None) -> Report:
    """Examine a file for what would hurt on a device.

    Args:
        path: a file whose name ends in `.onnx` or `.tflite`.
        peaks: layer or tensor -> its largest absolute activation in float32, where that was
            recorded; without it, nothing is said about float16's range.

    Raises:
        KgenError: another ending, no such file, too large, truncated, damaged or foreign, or the
            package that reads the format is not installed.
    """
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        from kgen_exports.lint.onnx_file import lint_onnx

        return lint_onnx(path, peaks)
    if suffix == ".tflite":
        from kgen_exports.lint.tflite_file import lint_tflite

        return lint_tflite(path, peaks)
    raise KgenError(f"{path} is neither an .onnx nor a .tflite file, by its name. Rename it.")
