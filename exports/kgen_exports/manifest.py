"""`kgen.json`: what is in a bundle, in words that any program can read.

Written by the export, read by the runtime, the proof, and other people's apps; docs/manifest.md
explains every field. Reading needs the standard library only, trusts nothing in the file, and
refuses what it does not know.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any, Self

from kgen.errors import KgenError
from kgen.files import write_text
from kgen_exports.sampler import SamplerTable

SCHEMA = "kgen-bundle-1"
FILE_NAME = "kgen.json"
GOLDEN_NAME = "golden.npz"
FORMATS = ("onnx", "tflite")
PRECISIONS = ("fp32", "fp16", "int8", "int8-static")
MAX_BYTES = 16 * 2**20
"""Largest kgen.json that is read; real ones have some tens of kilobytes."""
MAX_ELEMENTS = 2**28
"""Most numbers in a tensor of one picture that a manifest may announce."""


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
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_mapping` wrote.

        Raises:
            KgenError: a shape or dtype that no part of kgen has.
        """
        spec = cls(**{**values, "shape": tuple(values["shape"]), "range": _pair(values["range"])})
        rest = spec.shape[1:]
        size = 1
        for n in rest:
            size *= n if isinstance(n, int) and n > 0 else 0
        if spec.shape[:1] != (None,) or not 0 < size <= MAX_ELEMENTS:
            raise KgenError(
                f"The shape of {spec.name} is null, then positive integers. "
                f"Received: shape={list(spec.shape)}."
            )
        if spec.dtype not in ("float32", "int32"):
            raise KgenError(
                f"The dtype of {spec.name} is float32 or int32. Received: dtype={spec.dtype!r}."
            )
        return spec


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

    def __post_init__(self) -> None:
        """Refuse paths that leave the folder, and unknown formats.

        Raises:
            KgenError: one of these.
        """
        if PurePosixPath(self.path).name != self.path or self.path in ("", ".", ".."):
            raise KgenError(
                f"A file of a bundle lies in the bundle's folder. Received: path={self.path!r}."
            )
        for name, value, known in (
            ("format", self.format, FORMATS),
            ("precision", self.precision, PRECISIONS),
        ):
            if value not in known:
                raise KgenError(
                    f"The {name} of {self.path} is one of {', '.join(known)}. "
                    f"Received: {name}={value!r}."
                )


@dataclass(frozen=True, kw_only=True, slots=True)
class PartEntry:
    """One part: its inputs and outputs in order, and its files."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    files: tuple[FileEntry, ...] = ()

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Read what `dataclasses.asdict` wrote."""
        return cls(
            inputs=tuple(TensorSpec.from_mapping(v) for v in values["inputs"]),
            outputs=tuple(TensorSpec.from_mapping(v) for v in values["outputs"]),
            files=tuple(FileEntry(**v) for v in values["files"]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """Everything about a bundle.

    Attributes:
        kind: ``gan``, ``ae``, ``vae`` or ``ddpm``.
        image: height, width, channels, layout, colour, range, and how to make bytes of it.
        latent_dim: length of z; None for a ddpm.
        labels: class names by number where the model takes a class, else None.
        sampler: the table of the default sampler of a ddpm, else None.
        parts: by name.
        golden: file name, SHA-256, seed and number of pictures of the golden cases.
        training: the run in short: backend, steps, parameters, last metrics, versions.
        data: name, licence and a note on what it was trained on.
        created: time of the export, ISO 8601.
        kgen: version that exported.
    """

    kind: str
    image: Mapping[str, Any]
    latent_dim: int | None
    labels: tuple[str, ...] | None
    sampler: SamplerTable | None
    parts: Mapping[str, PartEntry]
    golden: Mapping[str, Any]
    training: Mapping[str, Any]
    data: Mapping[str, Any]
    created: str
    kgen: str
    min_runtime: Mapping[str, str] = field(default_factory=dict)
    schema: str = SCHEMA

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            **asdict(self),
            "sampler": None if self.sampler is None else self.sampler.to_mapping(),
            "noise": {"generator": "philox4x32-10", "transform": "box-muller"},
        }

    def embedded(self) -> str:
        """Return the JSON that is embedded in every file: all but what only whole files have.

        A file cannot hold its own hash, nor an error measured on it, so the lists of files and the
        golden hash are left to the sidecar.
        """
        values = self.to_mapping()
        for part in values["parts"].values():
            part["files"] = []
        values["golden"] = {**values["golden"], "sha256": None}
        return json.dumps(values, separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_mapping` wrote.

        Raises:
            KgenError: another schema, or a field that is missing, unknown or out of range.
        """
        if values.get("schema") != SCHEMA:
            raise KgenError(
                f"{FILE_NAME} has schema {SCHEMA!r} in this version of kgen. "
                f"Received: schema={values.get('schema')!r}. A newer bundle needs a newer kgen."
            )
        known = {f.name for f in fields(cls)} | {"noise"}
        if values.keys() != known:
            odd = sorted(values.keys() ^ known)
            raise KgenError(f"{FILE_NAME} lacks, or has too many, of these fields: {odd}.")
        try:
            return cls(**{
                **{name: value for name, value in values.items() if name != "noise"},
                "labels": None if values["labels"] is None else tuple(values["labels"]),
                "sampler": values["sampler"] and SamplerTable.from_mapping(values["sampler"]),
                "parts": {
                    name: PartEntry.from_mapping(part) for name, part in values["parts"].items()
                },
            })  # fmt: skip
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise KgenError(f"{FILE_NAME} is not a manifest of kgen: {error!r}.") from error

    def write(self, folder: Path) -> None:
        """Write `kgen.json` into a folder."""
        write_text(folder / FILE_NAME, json.dumps(self.to_mapping(), indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the `kgen.json` of a bundle.

        Raises:
            KgenError: there is none, or it is not one.
        """
        path = folder / FILE_NAME
        if not path.is_file():
            raise KgenError(
                f"A bundle is a folder with a {FILE_NAME}, made by kgen export. "
                f"Received: {folder}, which has none."
            )
        if path.stat().st_size > MAX_BYTES:
            raise KgenError(f"{path} has more than {MAX_BYTES} bytes; it is not a manifest.")
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise KgenError(f"{path} is not JSON: {error}.") from error
        if not isinstance(values, dict):
            raise KgenError(f"{path} is not a JSON object.")
        return cls.from_mapping(values)

    def files(self) -> Iterator[tuple[str, FileEntry]]:
        """Yield (name of the part, file) for every file."""
        for name, part in self.parts.items():
            for entry in part.files:
                yield name, entry


def _pair(values: Any) -> tuple[float, float] | None:
    """Return two numbers as a tuple, or None."""
    return None if values is None else (values[0], values[1])
