"""The entries of a manifest: tensors, files and parts, each checked when it is read."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from kgen.errors import KgenError
from kgen_exports import fields as read

FORMATS = ("onnx", "tflite")
PRECISIONS = ("fp32", "fp16", "int8", "int8-static")
MAX_BATCH = 1024
MAX_ELEMENTS = 2**28
"""Most numbers in a tensor of one picture that a manifest may announce."""
MAX_SIZE = 2**53
"""Most bytes of a file; JavaScript's numbers are exact to there."""

_NAME = read.matching(r"[A-Za-z_][A-Za-z0-9_]{0,63}", "a name of letters, digits and _")
_FILE = read.matching(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}", "the name of a file in the bundle's folder"
)
sha256 = read.matching(r"[0-9a-f]{64}", "a SHA-256: 64 hexadecimal digits in lower case")
size = read.integer(1, MAX_SIZE)


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorSpec:
    """One input or output of a part.

    Attributes:
        name: under which it is fed or read; the same in every file.
        shape: with the batch first, as None.
        dtype: ``float32`` or ``int32``.
        range: lowest and highest value, where there is one.
        distribution: ``standard_normal`` for noise (docs/noise.md), else None.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str = "float32"
    range: tuple[float, float] | None = None
    distribution: str | None = None

    @classmethod
    def from_mapping(cls, values: Any, where: str) -> Self:
        """Read what `dataclasses.asdict` wrote.

        Raises:
            KgenError: a field is missing, unknown or of another type, or it is a tensor that no
                part of kgen has.
        """
        found = read.mapping(values, where, {f.name for f in fields(cls)})
        return cls(
            name=_NAME(found["name"], f"{where}.name"),
            shape=_shape(found["shape"], f"{where}.shape"),
            dtype=read.choice(("float32", "int32"))(found["dtype"], f"{where}.dtype"),
            range=read.optional(read.pair)(found["range"], f"{where}.range"),
            distribution=read.optional(read.choice(("standard_normal",)))(
                found["distribution"], f"{where}.distribution"
            ),
        )


def _shape(value: Any, where: str) -> tuple[int | None, ...]:
    """Read a shape: null for the batch, then sizes of at most `MAX_ELEMENTS` numbers in all."""
    shape = read.items(value, where, read.optional(read.integer(1, MAX_ELEMENTS)))
    sizes = [n for n in shape[1:] if n is not None]
    rank4 = 1 <= len(shape) <= 4
    if not rank4 or shape[0] is not None or len(sizes) != len(shape) - 1:
        raise read.refuse(where, "null, then at most three sizes", str(list(shape)))
    if math.prod(sizes) > MAX_ELEMENTS:
        raise read.refuse(where, f"of at most {MAX_ELEMENTS} numbers", str(list(shape)))
    return shape


@dataclass(frozen=True, kw_only=True, slots=True)
class FileEntry:
    """One model file, and how far it is from the model in Keras.

    Attributes:
        path: name inside the bundle's folder.
        format: ``onnx`` or ``tflite``.
        precision: ``fp32``, ``fp16``, ``int8`` or ``int8-static``.
        batch: pictures in every call; None where any number may be fed.
        bytes: size.
        sha256: of the whole file, hexadecimal.
        opset: of ONNX, else None.
        error: per output: ``max_abs``, ``psnr_db`` and ``peak`` against Keras in float32.
        picture: the same for the finished picture: of the whole sampling loop for a denoiser.
    """

    path: str
    format: str
    precision: str
    batch: int | None
    bytes: int
    sha256: str
    opset: int | None = None
    error: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    picture: Mapping[str, float] | None = None

    @classmethod
    def from_mapping(cls, values: Any, where: str) -> Self:
        """Read what `dataclasses.asdict` wrote.

        Raises:
            KgenError: a field is missing, unknown or of another type, or the path leaves the
                folder.
        """
        found = read.mapping(values, where, {f.name for f in fields(cls)})
        readers = {
            "path": _FILE,
            "format": read.choice(FORMATS),
            "precision": read.choice(PRECISIONS),
            "batch": read.optional(read.integer(1, MAX_BATCH)),
            "bytes": size,
            "sha256": sha256,
            "opset": read.optional(read.integer(1, 1000)),
            "picture": read.optional(_error),
        }
        entry = cls(
            **{name: reader(found[name], f"{where}.{name}") for name, reader in readers.items()},
            error={
                _NAME(output, f"{where}.error"): _error(error, f"{where}.error.{output[:64]}")
                for output, error in read.mapping(found["error"], f"{where}.error").items()
            },
        )
        if not entry.path.endswith(f".{entry.format}"):
            raise read.refuse(f"{where}.path", f"a name that ends in .{entry.format}", entry.path)
        if (entry.opset is None) != (entry.format != "onnx"):
            raise read.refuse(f"{where}.opset", "a number for onnx, else null", entry.opset)
        if entry.format == "tflite" and entry.batch is None:
            raise read.refuse(f"{where}.batch", "a number for tflite", entry.batch)
        return entry


def _peak(value: Any, where: str) -> float:
    """Read the largest absolute value of something."""
    peak = read.number(value, where)
    if peak < 0:
        raise read.refuse(where, "a number of at least 0", value)
    return peak


def _error(value: Any, where: str) -> dict[str, float]:
    """Read a measured error."""
    found = read.mapping(value, where, ("max_abs", "psnr_db", "peak"))
    error = {name: read.number(found[name], f"{where}.{name}") for name in found}
    if error["max_abs"] < 0 or error["peak"] <= 0:
        raise KgenError(f"{where} has max_abs of at least 0 and peak above 0. Received: {error}.")
    return error


@dataclass(frozen=True, kw_only=True, slots=True)
class PartEntry:
    """One part.

    Attributes:
        inputs: in order.
        outputs: in order.
        files: that hold it.
        peaks: by layer, the largest absolute value that it put out in Keras on the golden inputs:
            what exceeds 65504 overflows on a device that computes in float16.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    files: tuple[FileEntry, ...] = ()
    peaks: Mapping[str, float] = field(default_factory=dict)

    def of(self, form: str, precision: str) -> list[FileEntry]:
        """Return the files of a format and precision, those for any number of pictures first."""
        found = [f for f in self.files if (f.format, f.precision) == (form, precision)]
        return sorted(found, key=lambda entry: entry.batch is not None)

    @classmethod
    def from_mapping(cls, values: Any, where: str) -> Self:
        """Read what `dataclasses.asdict` wrote.

        Raises:
            KgenError: a field is missing, unknown or of another type, or errors are those of
                outputs that it does not have.
        """
        found = read.mapping(values, where, {f.name for f in fields(cls)})
        part = cls(
            inputs=read.items(found["inputs"], f"{where}.inputs", TensorSpec.from_mapping),
            outputs=read.items(found["outputs"], f"{where}.outputs", TensorSpec.from_mapping),
            files=read.items(found["files"], f"{where}.files", FileEntry.from_mapping),
            peaks={
                read.text(layer, f"{where}.peaks"): _peak(peak, f"{where}.peaks.{layer[:64]}")
                for layer, peak in read.mapping(found["peaks"], f"{where}.peaks").items()
            },
        )
        for what, specs in (("inputs", part.inputs), ("outputs", part.outputs)):
            names = [spec.name for spec in specs]
            if not names or len(set(names)) != len(names):
                raise read.refuse(f"{where}.{what}", "one or more, of different names", str(names))
        for i, entry in enumerate(part.files):
            odd = entry.error.keys() - {spec.name for spec in part.outputs}
            if odd:
                raise read.refuse(f"{where}.files[{i}].error", "of the outputs", str(sorted(odd)))
        return part
