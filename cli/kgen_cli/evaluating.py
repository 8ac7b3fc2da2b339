"""What `kgen evaluate` and `kgen compare` share: their options, and how one thing is evaluated."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgen.evaluation import EXTRACTORS, GROUPS
from kgen.option import Option
from kgen_cli import diffusion
from kgen_cli.diffusion import Sampler, Variance, given
from kgen_cli.options import config_options, dim, numbered
from kgen_cli.request import MAX_SEED
from kgen_cli.several import drawing_devices
from kgen_cli.targets import Place, open_source, reals_of

if TYPE_CHECKING:
    from kgen.evaluation.evaluate import Request
    from kgen.evaluation.extraction.extractor import Extractor
    from kgen.evaluation.reals import Reals
    from kgen.evaluation.record import Record
    from kgen.evaluation.source import Source

PhaseProgress = Callable[[str, int, int], None]


Data = Annotated[
    str | None,
    typer.Option(
        "--data", metavar="DATA", show_default=False,
        help="Real pictures to compare with: a name or a path, as for kgen train."
        + dim(" [default: those of the run]"),
    ),
]  # fmt: skip
Number = Annotated[
    int | None,
    numbered(
        "-n", "--number", limits=Option(help="Pictures to draw.", low=100, high=10**6),
        default="10000; of a ddpm 2000; of a folder all, up to 10000",
    ),
]  # fmt: skip
Seed = Annotated[
    int,
    numbered("--seed", limits=Option(help="Seed of the noise.", low=0, high=MAX_SEED), default="0"),
]
_DIFFUSION = "DDPM, or its exported files, which have a sampler and defaults of their own"
SamplerName = Annotated[Sampler | None, diffusion.sampler(_DIFFUSION)]
NumSteps = Annotated[int | None, diffusion.num_steps(_DIFFUSION)]
Eta = Annotated[float | None, diffusion.eta(_DIFFUSION)]
VarianceName = Annotated[Variance | None, diffusion.variance(_DIFFUSION)]
Metrics = Annotated[
    str,
    typer.Option(
        "--metrics", metavar="NAMES", show_default=False,
        help=f"Parts of the evaluation, with commas between: {', '.join(GROUPS)}."
        + dim(" [default: all]"),
    ),
]  # fmt: skip
ExtractorName = Annotated[
    str,
    typer.Option(
        "--extractor", metavar="NAME",
        help=f"What pictures are compared by: {' | '.join(EXTRACTORS)}. auto is lenet64-v1 for "
        "Fashion-MNIST, and for other data one that is trained on them and kept.",
    ),
]  # fmt: skip
Force = Annotated[
    bool, typer.Option("--force", metavar="", help="Write over what is at --out.")
]  # fmt: skip

_COMPUTING = ("training.backend", "training.device")
computing = [
    *(
        option.parameter(panel="Computing")
        for option in config_options("gan")
        if option.key in _COMPUTING
    ),
    drawing_devices("Computing"),
]
"""The options that say where to compute."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a user wants to know, and how exactly.

    Attributes:
        sampler: options of a ddpm's sampler that were given, as for `DDPM.plan`.
    """

    data: str | None
    number: int | None
    seed: int
    sampler: dict[str, Any]
    groups: tuple[str, ...]
    extractor: str

    @classmethod
    def of(
        cls, *, data: str | None, number: int | None, seed: int, metrics: str, extractor: str,
        **sampler: Any,
    ) -> "Asked":  # fmt: skip
        """Read what the options say; `sampler` holds those of a ddpm's, None where not given.

        Raises:
            typer.BadParameter: a name is unknown.
        """
        groups = tuple(part.strip() for part in metrics.split(",") if part.strip())
        for name, known, flag in (
            *((group, GROUPS, "--metrics") for group in groups),
            (extractor, EXTRACTORS, "--extractor"),
        ):
            if name not in known:
                raise typer.BadParameter(
                    f"expected {' | '.join(known)}. Received: {name!r}.", param_hint=f"'{flag}'"
                )
        return cls(
            data=data, number=number, seed=seed, sampler=given(**sampler),
            groups=groups or GROUPS, extractor=extractor,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Opened:
    """Something to evaluate, with everything that it takes."""

    place: Place
    source: "Source"
    reals: "Reals"
    extractor: "Extractor"

    @classmethod
    def of(cls, place: Place, asked: Asked, progress: PhaseProgress) -> "Opened":
        """Load the real pictures, what draws the others, and what they are compared by.

        Raises:
            KgenError: something of it is not there.
        """
        from kgen.evaluation.extraction.choice import extractor_for

        reals = reals_of(place, asked.data, partial(progress, "reading the real pictures"))
        return cls(
            place=place,
            reals=reals,
            source=open_source(
                place, reals, asked.sampler, partial(progress, "reading the pictures")
            ),
            extractor=extractor_for(
                asked.extractor, reals, partial(progress, "training an extractor")
            ),
        )

    def request(self, asked: Asked) -> "Request":
        """Settle what to measure.

        Raises:
            KgenError: there are too few pictures.
        """
        from kgen.evaluation.evaluate import Request

        return Request.of(self.source, n=asked.number, seed=asked.seed, groups=asked.groups)

    def key(self, request: "Request") -> str:
        """Return what names this evaluation: equal keys, equal numbers."""
        from kgen.evaluation.evaluate import key_of

        return key_of(self.source, self.reals, self.extractor, request)

    def evaluate(self, request: "Request", progress: PhaseProgress) -> "Record":
        """Measure.

        Raises:
            KgenError: the pictures cannot be drawn, or are of another size.
        """
        from kgen.evaluation.evaluate import evaluate

        return evaluate(
            self.source, self.reals, self.extractor, request, key=self.key(request),
            progress=progress,
        )  # fmt: skip


def kept(folder: Path, key: str) -> "Record | None":
    """Read the evaluation of a key, if that is what a folder holds.

    Raises:
        KgenError: the folder holds a damaged evaluation.
    """
    from kgen.evaluation.record import Record

    return Record.read(folder) if Record.key_in(folder) == key else None
