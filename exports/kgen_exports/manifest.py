"""`kgen.json`: what is in a bundle, in words that any program can read.

Written by the export, read by the runtime, the proof, and other people's apps; docs/manifest.md
explains every field, schema/kgen-bundle-1.json says the same to a validator. Reading trusts nothing
in the file: every type and range is checked, and what is not known is refused.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from kgen.errors import KgenError
from kgen.files import write_text
from kgen_exports import fields as read
from kgen_exports.entries import (
    FORMATS,
    MAX_BATCH,
    MAX_ELEMENTS,
    PRECISIONS,
    FileEntry,
    PartEntry,
    TensorSpec,
    sha256,
    size,
)
from kgen_exports.sampler import SamplerTable

__all__ = ["FORMATS", "MAX_BATCH", "PRECISIONS", "FileEntry", "Manifest", "PartEntry", "TensorSpec"]

SCHEMA = "kgen-bundle-1"
FILE_NAME = "kgen.json"
GOLDEN_NAME = "golden.npz"
PARTS = {
    "gan": ("generator", "discriminator"),
    "ae": ("decoder", "encoder"),
    "vae": ("decoder", "encoder"),
    "ddpm": ("denoiser", "sampler"),
}
"""What can be exported of each family, in the order of the files."""
NOISE = {"generator": "philox4x32-10", "transform": "box-muller"}
"""How noise is made: docs/noise.md."""
TO_UINT8 = "clip(round((x - low) * 255 / (high - low)), 0, 255)"
COLOURS = {1: "grey", 3: "rgb"}
"""Name of the colours, by the number of channels."""
MAX_BYTES = 16 * 2**20
"""Largest kgen.json that is read; real ones have some tens of kilobytes."""


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
        min_runtime: oldest version of a runtime that runs files like these, by its name.
        schema: version of these fields.
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
            "noise": NOISE,
        }

    def embedded(self) -> str:
        """Return the JSON that is embedded in every file: all but what only whole files have.

        A file cannot hold its own hash, nor an error measured on it, so the lists of files, and
        the size and hash of the golden cases, are left to the sidecar.
        """
        values = self.to_mapping()
        for part in values["parts"].values():
            part["files"] = []
        values["golden"] = {**values["golden"], "sha256": None, "bytes": None}
        return json.dumps(values, separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_mapping(cls, values: Any) -> Self:
        """Read what :meth:`to_mapping` wrote, from a sidecar or from inside a file.

        Raises:
            KgenError: another schema, or a field that is missing, unknown, of another type, out of
                range, or at odds with another.
        """
        schema = read.mapping(values, FILE_NAME).get("schema")
        if schema != SCHEMA:
            raise KgenError(
                f"{FILE_NAME} has schema {SCHEMA!r} in this version of kgen. "
                f"Received: schema={str(schema)[:40]!r}. A newer bundle needs a newer kgen."
            )
        found = read.mapping(values, FILE_NAME, {f.name for f in fields(cls)} | {"noise"})
        if found.pop("noise") != NOISE:
            raise KgenError(f"noise is {NOISE} in schema {SCHEMA}. Received: something else.")
        manifest = cls(**{name: READERS[name](value, name) for name, value in found.items()})
        manifest.check()
        return manifest

    def check(self) -> None:
        """Check what is said in one place against what is said in another.

        Raises:
            KgenError: they disagree.
        """
        ddpm = self.kind == "ddpm"
        odd = [name for name in self.parts if name not in PARTS[self.kind]]
        paths = [entry.path.lower() for _, entry in self.files()]
        for fine, rule, received in (
            (not odd, f"parts of a {self.kind} are {', '.join(PARTS[self.kind])}", odd),
            (len(self.parts) > 0, "parts has at least one", 0),
            (ddpm == (self.sampler is not None), "sampler is of a ddpm, else null", self.kind),
            (ddpm == (self.latent_dim is None), "latent_dim is null for a ddpm only", self.kind),
            (len(set(paths)) == len(paths), "files have different names", sorted(paths)),
        ):
            if not fine:
                raise KgenError(f"In {FILE_NAME}, {rule}. Received: {str(received)[:200]}.")
        picture = tuple(self.image[name] for name in ("height", "width", "channels"))
        agreed = {"z": (self.latent_dim,)} | dict.fromkeys(("image", "noise", "xt"), picture)
        if self.sampler is not None:
            agreed["step_noise"] = (self.sampler.num_steps, math.prod(picture))
        for name, part in self.parts.items():
            for spec in (*part.inputs, *part.outputs):
                expected = agreed.get(spec.name, spec.shape[1:])
                if spec.shape[1:] != expected:
                    raise read.refuse(
                        f"The shape of {name}'s {spec.name}, without the batch,",
                        f"{list(expected)}, as the other fields have it",
                        str(list(spec.shape[1:])),
                    )

    def write(self, folder: Path) -> None:
        """Write `kgen.json` into a folder."""
        text = json.dumps(self.to_mapping(), indent=2, allow_nan=False)
        write_text(folder / FILE_NAME, f"{text}\n")

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
        # ValueError: not JSON, not UTF-8, or an integer of thousands of digits.
        except (OSError, ValueError, RecursionError) as error:
            raise KgenError(f"{path} is not JSON: {error}.") from error
        return cls.from_mapping(values)

    def files(self) -> Iterator[tuple[str, FileEntry]]:
        """Yield (name of the part, file) for every file."""
        for name, part in self.parts.items():
            for entry in part.files:
                yield name, entry


def _image(value: Any, where: str) -> dict[str, Any]:
    """Read the description of a picture."""
    side = read.integer(1, 2**14)
    names = ("height", "width", "channels", "layout", "colour", "range", "to_uint8")
    found = read.mapping(value, where, names)
    channels = read.integer(1, 3)(found["channels"], f"{where}.channels")
    if channels not in COLOURS:
        raise read.refuse(f"{where}.channels", "1 or 3", channels)
    return {
        "height": side(found["height"], f"{where}.height"),
        "width": side(found["width"], f"{where}.width"),
        "channels": channels,
        "layout": read.choice(("NHWC",))(found["layout"], f"{where}.layout"),
        "colour": read.choice((COLOURS[channels],))(found["colour"], f"{where}.colour"),
        "range": read.pair(found["range"], f"{where}.range"),
        "to_uint8": read.choice((TO_UINT8,))(found["to_uint8"], f"{where}.to_uint8"),
    }


def _golden(value: Any, where: str) -> dict[str, Any]:
    """Read what is said of the golden cases."""
    found = read.mapping(value, where, ("file", "seed", "count", "bytes", "sha256"))
    return {
        "file": read.choice((GOLDEN_NAME,))(found["file"], f"{where}.file"),
        "seed": read.integer(0, 2**53 - 1)(found["seed"], f"{where}.seed"),
        "count": read.integer(1, MAX_BATCH)(found["count"], f"{where}.count"),
        "bytes": read.optional(size)(found["bytes"], f"{where}.bytes"),
        "sha256": read.optional(sha256)(found["sha256"], f"{where}.sha256"),
    }


def _data(value: Any, where: str) -> dict[str, Any]:
    """Read what is said of the data."""
    found = read.mapping(value, where, ("name", "licence", "note"))
    return {
        "name": read.optional(read.text)(found["name"], f"{where}.name"),
        "licence": read.text(found["licence"], f"{where}.licence"),
        "note": read.text(found["note"], f"{where}.note"),
    }


def _parts(value: Any, where: str) -> dict[str, PartEntry]:
    """Read the parts, by name."""
    found = read.mapping(value, where)
    known = read.choice({name for names in PARTS.values() for name in names})
    return {
        known(name, f"A name in {where}"): PartEntry.from_mapping(part, f"{where}.{name[:40]}")
        for name, part in found.items()
    }


def _texts(value: Any, where: str) -> dict[str, str]:
    """Read texts by name."""
    found = read.mapping(value, where)
    return {name: read.text(item, f"{where}.{name[:40]}") for name, item in found.items()}


READERS: Mapping[str, Callable[[Any, str], Any]] = {
    "schema": read.choice((SCHEMA,)),
    "kind": read.choice(tuple(PARTS)),
    "image": _image,
    "latent_dim": read.optional(read.integer(1, MAX_ELEMENTS)),
    "labels": read.optional(lambda value, where: read.items(value, where, read.text)),
    "sampler": read.optional(SamplerTable.from_mapping),
    "parts": _parts,
    "golden": _golden,
    "training": lambda value, where: read.plain(read.mapping(value, where), where),
    "data": _data,
    "created": read.matching(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", "a time in ISO 8601 with its zone"
    ),
    "kgen": read.text,
    "min_runtime": _texts,
}
"""How each field is read, by name; `noise`, which is constant, apart."""
