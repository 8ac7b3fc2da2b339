"""What an export is asked for, checked before anything heavy starts."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from kgen import sampler_options
from kgen.errors import KgenError
from kgen.option import unknown_name
from kgen_exports.manifest import FORMATS, MAX_BATCH, PARTS, PRECISIONS

DEFAULT_PARTS = {**PARTS, "gan": ("generator",)}
DEFAULT_PRECISIONS = ("fp32", "fp16", "int8")
OPSETS = (15, 16, 17, 18)
"""tf2onnx writes no newer ones, and older ones lack what phones' runtimes have had for years."""
DEFAULT_OPSET = 17
DEFAULT_STEPS = 20

KNOWN_NOT_TO_WORK = {
    "int4": "convolutions stay as large as in int8 or grow, pictures lose most, and LiteRT 1.4 "
    "draws something else from blockwise int4",
}
"""Precisions that were tried and are not offered, with the reason; measurements: docs/export.md."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """An export, as plain values that travel to the process that converts.

    Attributes:
        run: folder of the run.
        family: the run's.
        formats: of `FORMATS`.
        precisions: of `PRECISIONS`.
        parts: of the family's `PARTS`.
        sampler: options of a ddpm's sampler, as for `DDPM.plan`.
        batch: pictures in a call of the files with a fixed batch.
        opset: of ONNX.
        fidelity: whether to write the generator as torch-fidelity reads it, too.
    """

    run: str
    family: str
    formats: tuple[str, ...] = FORMATS
    precisions: tuple[str, ...] = DEFAULT_PRECISIONS
    parts: tuple[str, ...] = ()
    sampler: Mapping[str, Any] = field(default_factory=dict)
    batch: int = 1
    opset: int = DEFAULT_OPSET
    fidelity: bool = False

    def __post_init__(self) -> None:
        """Fill in the family's parts, and check everything against everything.

        Raises:
            KgenError: what was asked for does not exist, or is known not to work.
        """
        object.__setattr__(self, "parts", self.parts or DEFAULT_PARTS[self.family])
        for what, given, known in (
            ("format", self.formats, FORMATS),
            ("precision", self.precisions, PRECISIONS),
            (f"part of a {self.family}", self.parts, PARTS[self.family]),
        ):
            for name in given:
                if name in KNOWN_NOT_TO_WORK:
                    raise KgenError(f"{name} is not offered: {KNOWN_NOT_TO_WORK[name]}.")
                if name not in known:
                    raise unknown_name(what, name, list(known))
        if self.family == "ddpm" and "int8-static" in self.precisions:
            raise KgenError(
                "int8-static is for networks without a timestep: one range of int8 cannot hold "
                "what a denoiser sees from noise to picture (10 dB after 20 steps). Use int8."
            )
        if self.sampler and self.family != "ddpm":
            raise KgenError(
                f"A sampler belongs to a ddpm. Received: {', '.join(self.sampler)} for a "
                f"{self.family}."
            )
        sampler_options.check(self.sampler)
        if not 1 <= self.batch <= MAX_BATCH:
            raise KgenError(f"batch takes 1 to {MAX_BATCH}. Received: batch={self.batch}.")
        if self.opset not in OPSETS:
            raise KgenError(
                f"opset takes {OPSETS[0]} to {OPSETS[-1]}. Received: opset={self.opset}."
            )
        if self.fidelity:
            self._check_fidelity()

    def _check_fidelity(self) -> None:
        """Refuse fidelity.onnx where nothing draws from a latent, or the file it is made of lacks.

        Raises:
            KgenError: so it is.
        """
        if self.family == "ddpm":
            raise KgenError(
                "--fidelity is for what draws from a latent vector: gan, vae, ae. Of a ddpm, write "
                "pictures with kgen generate, and give torch-fidelity their folder."
            )
        part = PARTS[self.family][0]
        asked = (*self.formats, *self.precisions, *self.parts)
        missing = [name for name in ("onnx", "fp32", part) if name not in asked]
        if missing:
            raise KgenError(
                f"--fidelity is made of the {part} in ONNX and fp32. Received: no "
                f"{' and no '.join(missing)}. Ask for them too."
            )

    def to_json(self) -> str:
        """Write the job for :meth:`from_json`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a job."""
        values: dict[str, Any] = json.loads(text)
        for name, value in values.items():
            if isinstance(value, list):
                values[name] = tuple(value)
        return cls(**values)
