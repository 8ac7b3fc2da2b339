"""An evaluation from beginning to end: pictures are drawn once, and everything looks at those."""

import hashlib
import json
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import Self

import numpy as np

from kgen import __version__ as version
from kgen import device
from kgen.data import ArrayImages
from kgen.errors import KgenError
from kgen.evaluation import GROUPS, diagnostics
from kgen.evaluation.diagnostics import ddpm
from kgen.evaluation.extraction.extractor import Extractor
from kgen.evaluation.extraction.features import Features
from kgen.evaluation.extraction.kept import kept
from kgen.evaluation.metrics import memorisation
from kgen.evaluation.metrics.distribution import measure
from kgen.evaluation.metrics.frechet import Moments, frechet_distance
from kgen.evaluation.metrics.gaussian import fit_gaussian
from kgen.evaluation.reals import FEWEST, MOST, Reals
from kgen.evaluation.record import Findings, Protocol, Record
from kgen.evaluation.source import PictureSource, RunSource, Source
from kgen.models.ddpm import DDPM

NUMBER, NUMBER_DDPM, NUMBER_STEPS = 10_000, 2_000, 1_000
"""Pictures that are drawn; fewer of a ddpm, which takes its time, and again with fewer steps."""
NUMBER_EXAMINED = 2_000
"""Real pictures that the model itself is asked about, at most: each costs many calls."""
SHOWN = 64
"""Pictures in the grid of samples."""

Progress = Callable[[str, int, int], None]
Reference = Callable[[], Features]
"""Features of the reference pictures, looked at when they are first asked for, and once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What to measure, on how many pictures of which seed."""

    n: int
    seed: int
    groups: tuple[str, ...] = GROUPS

    @classmethod
    def of(
        cls, source: Source, *, n: int | None, seed: int, groups: tuple[str, ...] = GROUPS
    ) -> Self:
        """Settle the number of pictures for a source.

        Raises:
            KgenError: there are too few.
        """
        available = len(source) if isinstance(source, PictureSource) else None
        if n is None:
            usual = NUMBER_DDPM if source.target.family == "ddpm" else NUMBER
            n = usual if available is None else min(available, MOST)
        if n < FEWEST or (available is not None and n > available):
            raise KgenError(
                f"An evaluation takes at least {FEWEST} pictures"
                f"{'' if available is None else f', of the {available} in {source.target.path}'}. "
                f"Received: n={n}."
            )
        return cls(n=n, seed=seed, groups=groups)


def key_of(source: Source, reals: Reals, extractor: Extractor, request: Request) -> str:
    """Hash everything that the numbers depend on: equal keys, equal numbers."""
    facts = [
        version, source.content, reals.content, extractor.sha256, request.n, request.seed,
        sorted(request.groups),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def evaluate(
    source: Source,
    reals: Reals,
    extractor: Extractor,
    request: Request,
    *,
    key: str,
    progress: Progress = lambda what, done, total: None,
) -> Record:
    """Measure how good the pictures of a source are.

    Args:
        source: what draws them.
        reals: what they are compared with.
        extractor: what they are compared by.
        request: which numbers, of how many pictures.
        key: from :func:`key_of`.
        progress: called with (what is being done, done, total).

    Raises:
        KgenError: the pictures are of another size, or cannot be drawn.
    """
    if source.image_shape != reals.reference.images.shape:
        raise KgenError(
            f"{source.target.name} draws pictures of {source.image_shape}, and those of "
            f"{reals.name} are {reals.reference.images.shape}. Name pictures of its own size with "
            "--data."
        )

    @cache
    def reference() -> Features:
        images = reals.reference_images()
        looking = partial(progress, "looking at the real pictures")
        facts = ["reference", reals.content]
        return kept(extractor, facts, lambda: extractor([images], len(images), looking))

    findings = Findings(warnings=source.warnings)
    findings |= _drawn(source, reals, extractor, request, reference, progress)
    if source.model is not None and "model" in request.groups:
        findings |= diagnostics.examine(
            source.model, reals.reference_images(NUMBER_EXAMINED), reals.train_images(),
            seed=request.seed, progress=partial(progress, "examining the model"),
        )  # fmt: skip
        if isinstance(source, RunSource) and isinstance(source.model, DDPM):
            rows = ddpm.trajectory_pictures(source.model, seed=request.seed, **source.options)
            findings |= Findings(pictures={"trajectory": rows})
    if "steps" in request.groups:
        findings |= _by_steps(source, extractor, request, reference, progress)
    return Record(
        key=key,
        kgen=version,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        environment=_environment(),
        target=source.timed(),
        findings=findings,
        protocol=Protocol(
            data=reals.name,
            split=reals.split,
            reference=len(reals.reference_images()),
            n=request.n,
            seed=request.seed,
            extractor=extractor.name,
            extractor_sha256=extractor.sha256,
            extractor_accuracy=extractor.accuracy,
            class_names=_class_names(reals, extractor),
        ),
    )


def _drawn(
    source: Source, reals: Reals, extractor: Extractor, request: Request, reference: Reference,
    progress: Progress,
) -> Findings:  # fmt: skip
    """Draw the pictures, and measure what can be said of pictures alone."""
    first = _First(memorisation.MOST)
    lots = source.draw(request.n, request.seed, partial(progress, "drawing pictures"))
    measured = "quality" in request.groups
    if measured:
        generated = extractor(first.watching(lots), request.n)
    else:
        for _ in first.watching(lots):
            pass
    images = first.images()
    findings = Findings(pictures={"samples": images[:SHOWN]})
    if measured:
        findings |= _compared(generated, reference(), reals, extractor, request, progress)
    if "memorisation" in request.groups:
        findings |= memorisation.examine(
            reals.train.images, reals.reference.images, ArrayImages(images), seed=request.seed,
            progress=partial(progress, "looking for copies"),
        )  # fmt: skip
    return findings


class _First:
    """Keeps the first pictures of a stream, so that memory does not grow with its length."""

    def __init__(self, most: int):
        self._room, self._kept = most, []

    def watching(self, lots: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Hand on a stream."""
        for lot in lots:
            if self._room:
                kept = lot[: self._room].copy()  # a view would keep the whole lot
                self._room -= len(kept)
                self._kept.append(kept)
            yield lot

    def images(self) -> np.ndarray:
        """Return what was kept."""
        return np.concatenate(self._kept)


def _compared(
    generated: Features, reference: Features, reals: Reals, extractor: Extractor,
    request: Request, progress: Progress,
) -> Findings:  # fmt: skip
    """Compare features with those of real pictures, and of the Gaussian generator's."""
    train = reals.train_images(request.n)
    total = len(train) + request.n
    looking = partial(progress, "looking at floor and bar")

    def look(chunks: Iterable[np.ndarray], before: int) -> Features:
        return extractor(chunks, total, lambda done, total: looking(before + done, total))

    def gaussian() -> Features:
        fitted = fit_gaussian(ArrayImages(reals.train_images()))
        return look(fitted.draw(request.n, request.seed), len(train))

    floor = kept(extractor, ["train", reals.content, len(train)], lambda: look([train], 0))
    bar = kept(extractor, ["gaussian", reals.content, request.n, request.seed], gaussian)
    progress("comparing", 0, 1)
    return measure(
        reference, generated, floor=floor, bar=bar, seed=request.seed,
        class_names=_class_names(reals, extractor) if extractor.has_classes else None,
    )  # fmt: skip


def _by_steps(
    source: Source, extractor: Extractor, request: Request, reference: Reference,
    progress: Progress,
) -> Findings:  # fmt: skip
    """Measure how the quality of a ddpm depends on the number of its sampling steps."""
    if not (isinstance(source, RunSource) and isinstance(source.model, DDPM)):
        return Findings()
    moments = Moments.of(reference().features)
    options = {name: value for name, value in source.options.items() if name != "num_steps"}

    def distance(images: np.ndarray) -> float:
        return frechet_distance(moments, Moments.of(extractor([images], len(images)).features))

    curve = ddpm.steps_curve(
        source.model, distance, n=min(request.n, NUMBER_STEPS), seed=request.seed,
        y_label=f"FD-{extractor.name}", progress=partial(progress, "drawing with fewer steps"),
        **options,
    )  # fmt: skip
    return Findings(
        series={"quality_by_steps": curve},
        pictures={"steps": ddpm.steps_pictures(source.model, seed=request.seed, **options)},
    )


def _class_names(reals: Reals, extractor: Extractor) -> tuple[str, ...]:
    """Return what the classifier's classes are called, if they have names."""
    return (reals.reference.class_names or ()) if extractor.has_classes else ()


def _environment() -> dict[str, str]:
    """Say on what the numbers were computed."""
    info = device.info()
    return {
        "keras": info.keras_version,
        "backend": f"{info.backend} {info.backend_version}",
        "device": info.device_name,
        "system": platform.platform(),
    }
