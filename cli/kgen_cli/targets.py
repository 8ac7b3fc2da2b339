"""What `kgen evaluate` and `kgen compare` are asked about: a run, exported files, or pictures."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgen.errors import KgenError
from kgen.families import FAMILIES
from kgen.run import CONFIG, Run
from kgen_cli.bundles import MANIFEST, find

if TYPE_CHECKING:
    from kgen.evaluation.reals import Reals
    from kgen.evaluation.source import Source

PRECISIONS = ("fp32", "fp16", "int8", "int8-static")
FOLDER = "evaluation"
"""Where an evaluation is kept inside of a run."""
TARGET_HELP = (
    "Folder of a run, or a family for its newest; with @fp32, @fp16, @int8 or @int8-static the "
    "files that it was exported to; a bundle; a folder or .npz of pictures made elsewhere."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where something to evaluate is.

    Attributes:
        name: as the user wrote it.
        run: that it is, or that it was exported from, if that is here.
        bundle: folder of the exported files, if it is these.
        precision: of them.
        pictures: path of pictures, if it is these.
    """

    name: str
    run: Run | None = None
    bundle: Path | None = None
    precision: str = "fp32"
    pictures: str | None = None

    @property
    def family(self) -> str | None:
        """What kind of model it is, None for pictures."""
        if self.bundle is not None:
            from kgen_exports.manifest import Manifest

            return Manifest.read(self.bundle).kind
        return self.run.config.family if self.run else None

    @property
    def folder(self) -> Path:
        """Where its evaluation is kept, unless told otherwise."""
        if self.run is not None:
            return self.run.path / (f"{FOLDER}-{self.precision}" if self.bundle else FOLDER)
        path = self.bundle or Path(self.pictures or ".")
        name = path.resolve().stem if path.is_file() else path.resolve().name
        return Path(f"{FOLDER}-{name}" + (f"-{self.precision}" if self.bundle else ""))


def locate(name: str, runs_root: Path) -> Place:
    """Find what a user means.

    Raises:
        KgenError: it is nothing that can be evaluated.
    """
    base, at, precision = name.rpartition("@")
    if at and (precision in PRECISIONS or not Path(name).exists()):
        if precision not in PRECISIONS:
            raise KgenError(
                f"After @ comes a precision: {', '.join(PRECISIONS)}. Received: {name}."
            )
        bundle = find(base, runs_root)
        return Place(name=name, run=_run_of(bundle), bundle=bundle, precision=precision)
    path = Path(name)
    if (path / MANIFEST).is_file():
        return Place(name=name, run=_run_of(path), bundle=path)
    if (path / CONFIG).is_file() or (name in FAMILIES and not path.exists()):
        return Place(name=name, run=Run.open(name, root=runs_root))
    if not path.exists():
        raise KgenError(
            f"There is no {name} to evaluate. Give the folder of a run, a family "
            f"({' | '.join(FAMILIES)}) for its newest run, the folder of a bundle, or a folder or "
            ".npz of pictures."
        )
    return Place(name=name, pictures=name)


def _run_of(bundle: Path) -> Run | None:
    """Return the run whose folder a bundle lies in, or None."""
    parent = Path(os.path.normpath(bundle / os.pardir))
    return Run.open(parent) if (parent / CONFIG).is_file() else None


def reals_of(place: Place, source: str | None, progress: Any) -> "Reals":
    """Load the real pictures to compare with: those of the run, unless others are named.

    Raises:
        KgenError: none are known, or they cannot be read.
    """
    from kgen.evaluation.reals import load_reals

    if place.run is not None:
        config = place.run.config
        chosen = config.data
        return load_reals(
            source or chosen.source,
            image_size=chosen.image_size,
            channels=chosen.channels,
            validation=chosen.validation if source is None else 0.1,
            seed=config.training.seed if source is None else 0,
            on_progress=progress,
        )
    size: dict[str, int] = {}
    if place.bundle is not None:
        from kgen.data import SOURCES
        from kgen_exports.runtime import load

        manifest = load(place.bundle).manifest
        size = {"image_size": manifest.image["height"], "channels": manifest.image["channels"]}
        name = str(manifest.data.get("name"))
        source = source or (name if name in SOURCES else None)
    if source is None:
        raise KgenError(
            f"{place.name} does not say which real pictures to compare with. Name them with "
            "--data, such as --data embedded."
        )
    return load_reals(source, on_progress=progress, **size)  # type: ignore[arg-type]


def open_source(
    place: Place, reals: "Reals", sampler: Mapping[str, Any], progress: Any
) -> "Source":
    """Open what draws the pictures.

    Args:
        place: where it is.
        reals: whose size pictures must have.
        sampler: options of a ddpm's sampler, as for `DDPM.plan`.
        progress: called with (pictures read, pictures in all).

    Raises:
        KgenError: it cannot be opened, or does not draw by such a sampler.
    """
    if sampler and place.family != "ddpm":
        flags = ", ".join(f"--{name.replace('_', '-')} {value}" for name, value in sampler.items())
        raise KgenError(f"A sampler belongs to a ddpm. Received: {flags} for {place.name}.")
    if place.pictures is not None:
        from kgen.evaluation.source import PictureSource

        return PictureSource(place.pictures, reals.reference.images.shape, progress)
    if place.bundle is not None:
        from kgen_exports.runtime import load
        from kgen_exports.source import BundleSource

        return BundleSource(load(place.bundle), place.precision, sampler)
    from kgen.evaluation.source import RunSource
    from kgen.models import load as load_model

    run = place.run
    if run is None:
        raise KgenError(f"There is nothing to evaluate in {place.name}.")
    return RunSource(run, load_model(run), sampler)
