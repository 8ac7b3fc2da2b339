"""What is evaluated: anything that can hand over pictures, lot by lot."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from kgen import data
from kgen.data.content import data_hash
from kgen.errors import KgenError
from kgen.evaluation.reals import evenly
from kgen.evaluation.record import Target
from kgen.models import weights_hash
from kgen.models.generative import GenerativeModel
from kgen.run import Run

Progress = Callable[[int, int], None]

LOT = 1024
"""Pictures drawn at a time; lot i comes from seed + i, so that memory does not grow with n."""


class Source(ABC):
    """Where pictures to evaluate come from.

    Attributes:
        target: what it is, for the record.
        image_shape: (height, width, channels).
        content: hash of everything that decides what it draws.
        model: the model in Keras, where there is one.
        warnings: sentences about what could not be evaluated.
    """

    target: Target
    image_shape: tuple[int, int, int]
    content: str
    model: GenerativeModel | None = None
    warnings: tuple[str, ...] = ()

    @abstractmethod
    def draw(self, n: int, seed: int, progress: Progress) -> Iterator[np.ndarray]:
        """Hand over `n` pictures, uint8 (any number, height, width, channels) at a time.

        Args:
            n: number of pictures.
            seed: of the noise.
            progress: called with (pictures drawn, n).

        Raises:
            KgenError: it has fewer.
        """

    def timed(self) -> Target:
        """Return the target, with the seconds that a picture took in the last :meth:`draw`."""
        return self.target


class Drawing(Source):
    """A source that draws as many pictures as one likes."""

    def __init__(self, target: Target, image_shape: tuple[int, int, int], content: str):
        self.target, self.image_shape, self.content = target, image_shape, content
        self._timings: list[tuple[int, float]] = []

    @abstractmethod
    def lot(self, count: int, seed: int, progress: Progress) -> np.ndarray:
        """Draw `count` pictures of one seed, uint8 (count, height, width, channels)."""

    def draw(self, n: int, seed: int, progress: Progress) -> Iterator[np.ndarray]:
        """Draw `n` pictures in lots."""
        self._timings.clear()
        for i, start in enumerate(range(0, n, LOT)):
            count = min(LOT, n - start)
            begun = time.perf_counter()

            def done(part: int, whole: int, start: int = start, count: int = count) -> None:
                progress(start + count * part // max(whole, 1), n)

            images = self.lot(count, seed + i, done)
            self._timings.append((count, time.perf_counter() - begun))
            yield images

    def timed(self) -> Target:
        """Return the target with the time of a picture; the first lot compiles and is left out."""
        timings = self._timings[1:] or self._timings
        if not timings:
            return self.target
        counts, seconds = (sum(values) for values in zip(*timings, strict=True))
        return replace(self.target, seconds_per_picture=seconds / counts)


class RunSource(Drawing):
    """A trained run, that draws by its model in Keras.

    Attributes:
        options: of its sampler.

    Args:
        run: finished, or with a checkpoint.
        model: loaded from it.
        options: of a ddpm's sampler, as for :meth:`kgen.models.ddpm.DDPM.plan`.

    Raises:
        KgenError: they are no sampler's.
    """

    def __init__(self, run: Run, model: GenerativeModel, options: Mapping[str, Any] = {}):
        plan = model.plan(**options) if run.config.family == "ddpm" else None  # type: ignore[attr-defined]
        summary = run.summary()
        super().__init__(
            Target(
                name=run.path.resolve().name,
                kind="run",
                family=run.config.family,
                path=str(run.path),
                sampler=f"{plan.title}, {plan.num_steps} steps" if plan else None,
                parameters=drawing_part(model).count_params(),
                training_seconds=summary.get("seconds"),
            ),
            model.image_shape,
            f"{weights_hash(run)} {plan.title if plan else ''} {plan.num_steps if plan else ''}",
        )
        self.model = model
        self.options = options

    def lot(self, count: int, seed: int, progress: Progress) -> np.ndarray:
        """Draw with the model."""
        return self.model.generate(count, seed=seed, progress=progress, **self.options)  # type: ignore[union-attr]


class PictureSource(Source):
    """A folder or an array of pictures that were made elsewhere.

    Args:
        path: as for :func:`kgen.data.load`.
        image_shape: of the real pictures, which they must have.
        on_progress: called with (pictures read, pictures in all).

    Raises:
        KgenError: they cannot be read, or are of another size.
    """

    def __init__(
        self, path: str, image_shape: tuple[int, int, int], on_progress: Progress | None = None
    ):
        native = data.load(path, on_progress=on_progress)
        if native.images.shape != image_shape:
            # Scaling is a choice of its own, and two ways of it differ by more than two models do.
            raise KgenError(
                f"{path} takes pictures as the real ones are, {_words(image_shape)}. Received: "
                f"{_words(native.images.shape)}. Scale them first, or name real pictures of their "
                "own size with --data."
            )
        self.images = native.images
        self.warnings = _unread(path, native.skipped)
        self.target = Target(name=native.name, kind="pictures", path=path)
        self.image_shape = image_shape
        self.content = data_hash(native.images)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.images)

    def draw(self, n: int, seed: int, progress: Progress) -> Iterator[np.ndarray]:
        """Hand over `n` evenly spaced ones; the seed plays no part."""
        if n > len(self):
            raise KgenError(
                f"{self.target.path} holds {len(self)} pictures. Received: n={n}. Give fewer "
                "with -n, or more pictures."
            )
        places = evenly(len(self), n)
        for start in range(0, n, LOT):
            rows = places[start : start + LOT]
            yield self.images.gather(rows)
            progress(start + len(rows), n)


def _unread(path: str, skipped: tuple[str, ...]) -> tuple[str, ...]:
    """Say which pictures could not be read, if there are any: the first few by name."""
    if not skipped:
        return ()
    some = ", ".join(skipped[:3]) + (", ..." if len(skipped) > 3 else "")
    pictures = "picture" if len(skipped) == 1 else "pictures"
    return (f"{len(skipped)} {pictures} of {path} could not be read and are left out: {some}.",)


def _words(shape: tuple[int, int, int]) -> str:
    """Say how large a picture is."""
    height, width, channels = shape
    return f"{height} x {width} {'in colour' if channels == 3 else 'grey'}"


def drawing_part(model: GenerativeModel) -> Any:
    """Return the network that draws a model's pictures: the first of its parts."""
    return next(iter(model.parts.values()))
