"""What a folder of shards holds, written beside them: `pictures.json`."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from kgen.errors import KgenError
from kgen.files import write_text

CONTENTS = "pictures.json"
_VERSION = "kgen-pictures-1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """Everything that decides the bytes of the shards: equal contents, equal files.

    Attributes:
        run: name of the run.
        family: of its model.
        weights: SHA-256 of the file that the model was loaded from.
        seed: of the noise.
        sampler: options of a diffusion model's sampler; empty for other families.
        number: pictures in all, those of the seed from 0 on.
        format: of the shards: ``npz`` or ``tar``.
        shard_size: pictures in a shard; the last one has the rest.
        shape: (height, width, channels) of a picture.
    """

    run: str
    family: str
    weights: str
    seed: int
    sampler: dict[str, Any]
    number: int
    format: str
    shard_size: int
    shape: tuple[int, int, int]

    @property
    def num_shards(self) -> int:
        """How many files there are."""
        return -(-self.number // self.shard_size)

    def rows(self, shard: int) -> range:
        """Return the numbers of a shard's pictures."""
        first = shard * self.shard_size
        return range(first, min(first + self.shard_size, self.number))

    def name(self, shard: int) -> str:
        """Name a shard's file, such as ``pictures-00003-of-00100.npz``."""
        return f"pictures-{shard:05d}-of-{self.num_shards:05d}.{self.format}"

    def names(self) -> list[str]:
        """Name all the files, in the order of their pictures."""
        return [self.name(shard) for shard in range(self.num_shards)]

    def differences(self, other: "Contents") -> str:
        """Say in which facts another folder's contents differ, `fact=here (there: fact)` each."""
        pairs = [(f.name, getattr(self, f.name), getattr(other, f.name)) for f in fields(self)]
        return ", ".join(f"{n}={_short(a)} (there: {_short(b)})" for n, a, b in pairs if a != b)

    def write(self, folder: Path) -> None:
        """Write the file.

        Raises:
            KgenError: it cannot be written.
        """
        facts = {"version": _VERSION, **asdict(self)}
        write_text(folder / CONTENTS, json.dumps(facts, indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Read a folder's file; None where there is none, or it is no file of kgen's.

        Raises:
            KgenError: it cannot be read, or is another kgen's.
        """
        path = folder / CONTENTS
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:  # kgen's is whole: this is somebody else's
            return None
        except OSError as error:
            raise KgenError(f"Cannot read {path}: {error.strerror}.") from error
        version = facts.pop("version", None) if isinstance(facts, dict) else None
        if not str(version).startswith("kgen-pictures-"):
            return None
        if version != _VERSION or facts.keys() != {field.name for field in fields(cls)}:
            raise KgenError(
                f"{path} is not one that this kgen reads ({_VERSION}). Received: "
                f"version={version!r}, {', '.join(sorted(facts))}."
            )
        return cls(**{**facts, "shape": tuple(facts["shape"])})


def _short(value: Any) -> str:
    """Write a fact on a line; of a hash the beginning."""
    text = str(value)
    return text[:12] if len(text) == 64 else text
