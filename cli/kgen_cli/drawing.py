"""Drawing what was asked for with a loaded model."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kgen.pictures import read_picture
from kgen_cli.request import Request

STRIP_FRAMES = 9
ANIMATION_FRAMES = 41
ROW = 16
"""Most pictures in a row of reconstructions."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """Pictures, and how to lay them out.

    Attributes:
        images: the result, uint8 (n, H, W, C).
        layout: what a grid shows, uint8 (m, H, W, C), if it is not just `images`.
        columns: pictures in a row of the grid; None for a square.
        frames: the same pictures on their way, uint8 (frames, n, H, W, C), if asked for.
        arrays: what goes into a `.npz` beside `images`.
    """

    images: np.ndarray
    layout: np.ndarray | None = None
    columns: int | None = None
    frames: np.ndarray | None = None
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def draw(model: Any, request: Request, progress: Progress) -> Drawing:
    """Draw a request that :func:`kgen_cli.request.check` has passed.

    Raises:
        KgenError: an input is not a picture.
    """
    return _DRAW[request.mode](model, request, progress)


def _sample(model: Any, request: Request, progress: Progress) -> Drawing:
    """Draw new pictures."""
    return Drawing(
        images=model.generate(
            request.number, seed=request.seed, progress=progress, **request.options
        )
    )


def _trajectory(model: Any, request: Request, progress: Progress) -> Drawing:
    """Draw new pictures and what they were on the way."""
    frames = model.trajectory(
        request.number, ANIMATION_FRAMES, seed=request.seed, progress=progress, **request.options
    )
    return Drawing(images=frames[-1], frames=frames, arrays={"frames": frames})


def _reconstruct(model: Any, request: Request, progress: Progress) -> Drawing:
    """Draw each input, and below it its reconstruction."""
    originals = _read(model, request.inputs)
    images = model.reconstruct(originals)
    columns = min(len(images), ROW)
    rows = []
    for start in range(0, len(images), columns):
        for batch in (originals, images):
            row = np.full((columns, *batch.shape[1:]), 255, np.uint8)
            row[: len(batch[start : start + columns])] = batch[start : start + columns]
            rows.append(row)
    return Drawing(
        images=images,
        layout=np.concatenate(rows),
        columns=columns,
        arrays={"originals": originals},
    )


def _variations(model: Any, request: Request, progress: Progress) -> Drawing:
    """Draw the input first, then pictures like it."""
    originals = _read(model, request.inputs)
    images = model.variations(originals[0], request.number, seed=request.seed)
    return Drawing(
        images=images,
        layout=np.concatenate([originals, images]),
        arrays={"originals": originals},
    )


def _interpolate(model: Any, request: Request, progress: Progress) -> Drawing:
    """Draw the way from the first input to the second, in one row."""
    ends: Any = tuple(int(text) for text in request.inputs if text.isdecimal())
    if model.family != "gan":
        ends = _read(model, request.inputs)
    return Drawing(images=model.interpolate(*ends, request.number), columns=request.number)


def _manifold(model: Any, request: Request, progress: Progress) -> Drawing:
    """Draw the plane of two latents."""
    return Drawing(images=model.manifold(request.side), columns=request.side)


def _read(model: Any, files: tuple[str, ...]) -> np.ndarray:
    """Read pictures as the model takes them, uint8 (n, H, W, C)."""
    return np.stack([read_picture(Path(file), model.image_shape) for file in files])


_DRAW: dict[str, Callable[[Any, Request, Progress], Drawing]] = {
    "sample": _sample,
    "trajectory": _trajectory,
    "reconstruct": _reconstruct,
    "variations": _variations,
    "interpolate": _interpolate,
    "manifold": _manifold,
}
