"""The pictures that a run leaves behind when its training ends.

Plain grids are drawn by :mod:`kgen.pictures`, what needs words or axes by :mod:`kgen.plots`.
"""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from kgen import models, noise, pictures, plots
from kgen.data import SOURCES
from kgen.errors import KgenError
from kgen.models.autoencoder import Autoencoder
from kgen.models.ddpm import DDPM
from kgen.models.gan import GAN
from kgen.models.generative import GenerativeModel
from kgen.run import Run, list_runs

Drawing = Figure | Image.Image
Drawings = dict[str, Drawing]

SHOWN = 10
"""Pictures, or moments, that a strip has side by side."""

FOLLOWED = 6
"""Pictures that a strip follows from moment to moment, one below the other."""

PRIOR_DRAWS = 24
"""Latents drawn from N(0, I) under a latent space."""

SIBLING = {"ae": "vae", "vae": "ae"}
TITLES = {"ae": "Autoencoder", "vae": "Variational autoencoder"}


def final(
    run: Run, model: GenerativeModel, images: np.ndarray, labels: np.ndarray | None
) -> list[Path]:
    """Draw what a finished model can do into the run's `samples` folder.

    Args:
        run: the finished run; its `epoch-*.png` are compared in `progress.png`.
        model: its model, trained.
        images: held-out pictures uint8 (n, height, width, channels).
        labels: their classes int (n,), or None.

    Returns:
        The files written: `final.png` and `progress.png` for every family; `reconstructions.png`
        and `latent.png` for `ae` and `vae`; `forward.png` and `trajectory.png` for `ddpm`;
        `interpolation.png` for `gan`.

    Raises:
        KgenError: a file cannot be written.
    """
    drawings = {"final": pictures.grid(model.generate(run.config.output.grid))}
    drawings |= progress(run, model.image_shape)
    drawings |= OF_FAMILY[model.family](run, model, images, labels)
    return [_save(run.samples / f"{name}.png", drawing) for name, drawing in drawings.items()]


def _save(path: Path, drawing: Drawing) -> Path:
    """Write a drawing of either kind."""
    if isinstance(drawing, Figure):
        plots.save_figure(path, drawing)
    else:
        pictures.save_png(path, drawing)
    return path


# Every family.


def progress(run: Run, image_shape: tuple[int, ...]) -> Drawings:
    """Compare epochs: pictures of the same noise as the model learnt, cut out of the epochs' grids.

    At most :data:`SHOWN` epochs, evenly spaced, the first and the last among them; nothing where
    no grid of this run can be read.
    """
    found: dict[int, np.ndarray] = {}
    for path in run.samples.glob("epoch-*.png"):
        epoch = re.fullmatch(r"epoch-(\d+)", path.stem)
        tiles = first_tiles(path, run.config.output.grid, image_shape)
        if epoch is not None and tiles is not None:
            found[int(epoch[1])] = tiles
    if not found:
        return {}
    epochs = evenly(sorted(found), SHOWN)
    frames = np.stack([found[epoch] for epoch in epochs])
    labels = [f"epoch {epochs[0]}", *map(str, epochs[1:])]
    return {"progress": plots.picture_strip(frames, labels)}


def first_tiles(path: Path, count: int, image_shape: tuple[int, ...]) -> np.ndarray | None:
    """Cut the first pictures out of a grid of `count` that :func:`kgen.pictures.grid` drew.

    Returns:
        uint8 (m, height, width, channels), m at most :data:`FOLLOWED`; None where the file is not
        such a grid: it is a by-product, so a damaged one must not fail a training that is done.
    """
    height, width, channels = image_shape
    try:
        with Image.open(path) as opened:
            grid = np.asarray(opened.convert("L" if channels == 1 else "RGB"))
    except (OSError, SyntaxError):
        return None
    scale = max(1, pictures.SCALED_SIDE // max(height, width))
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    # A grid has one more gap than it has pictures, across and down.
    pad, rest = divmod(grid.shape[1] - columns * width * scale, columns + 1)
    if rest or pad < 0 or grid.shape[0] != rows * (height * scale + pad) + pad:
        return None
    tiles = []
    for index in range(min(count, FOLLOWED)):
        top = index // columns * (height * scale + pad) + pad
        left = index % columns * (width * scale + pad) + pad
        tiles.append(grid[top : top + height * scale : scale, left : left + width * scale : scale])
    return np.stack(tiles).reshape(-1, *image_shape)


def evenly(items: list[Any], most: int) -> list[Any]:
    """Choose at most `most` items, evenly spaced, the first and the last among them."""
    places = np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int)
    return [items[place] for place in places]


def one_of_each(images: np.ndarray, labels: np.ndarray | None, most: int) -> np.ndarray:
    """Choose at most `most` pictures, of as many classes as there are."""
    if labels is None:
        return images[:most]
    # The n-th picture of every class comes before the (n+1)-th of any.
    turn = np.zeros(len(labels), int)
    for label in np.unique(labels):
        turn[labels == label] = np.arange(np.sum(labels == label))
    return images[np.lexsort((labels, turn))[:most]]


# Autoencoders.


def of_autoencoder(
    run: Run, model: Autoencoder, images: np.ndarray, labels: np.ndarray | None
) -> Drawings:
    """Draw reconstructions, and the latent space beside that of the newest sibling."""
    originals = one_of_each(images, labels, SHOWN)
    # A column per picture: the original, and below it what is left of it.
    frames = np.stack([originals, model.reconstruct(originals)], axis=1)
    pair = {model.family: model}
    other = sibling(run, model)
    if other is not None:
        pair[other.family] = other
    names = SOURCES[run.config.data.source].class_names if _is_named(run) else None
    # The autoencoder first: the question before the answer.
    spaces = [latent_space(pair[family], images, labels, names) for family in sorted(pair)]
    return {
        "reconstructions": plots.picture_strip(frames, rows=["original", "reconstruction"]),
        "latent": plots.latent_spaces(spaces),
    }


def _is_named(run: Run) -> bool:
    """Whether the run's pictures are of a source whose classes have names."""
    return run.config.data.source in SOURCES


def latent_space(
    model: Autoencoder,
    images: np.ndarray,
    labels: np.ndarray | None,
    class_names: tuple[str, ...] | None = None,
) -> plots.LatentSpace:
    """Look at a latent space in the plane in which pictures lie furthest apart.

    Of more than two latents, the plane is that of the two largest principal components of the
    latent means. Its axes are orthonormal and its origin is the prior's, so N(0, I) is a standard
    normal in this plane too.

    Args:
        model: the autoencoder.
        images: uint8 (n, height, width, channels).
        labels: their classes int (n,), or None.
        class_names: by class number.
    """
    means = model.embed(images)
    latent_dim = model.settings.latent_dim
    plane = np.eye(latent_dim, 2, dtype=np.float32)
    title = TITLES[model.family]
    if latent_dim > 2:
        plane = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)[2][:2].T
        title += f", main plane of {latent_dim} latents"
    z = noise.normal(0, (PRIOR_DRAWS, latent_dim))
    return plots.LatentSpace(
        title=title,
        points=means @ plane,
        labels=labels,
        class_names=class_names,
        prior=z @ plane,
        decoded=model.decode(z),
    )


def sibling(run: Run, model: Autoencoder) -> Autoencoder | None:
    """Load the newest finished autoencoder for a VAE, or the other way round, to compare with.

    It comes from the same folder of runs, has the same number of latents and learnt from the same
    pictures; None where there is no such run.
    """
    wanted = (run.config.data.source, model.settings.latent_dim, model.image_shape)
    found = []
    for other in list_runs(run.path.resolve().parent):
        if other.config.family != SIBLING[model.family]:
            continue
        try:
            summary = other.summary()
        except KgenError:
            continue
        theirs = (
            other.config.data.source,
            getattr(other.config.model, "latent_dim", None),
            tuple(summary.get("image_shape", ())),
        )
        if summary.get("status") == "finished" and theirs == wanted:
            found.append((summary.get("updated", ""), other))
    for _, other in sorted(found, key=lambda pair: pair[0], reverse=True):
        try:
            loaded = models.load(other)
        except KgenError:
            continue  # a damaged neighbour must not fail a training that is done
        if isinstance(loaded, Autoencoder):
            return loaded
    return None


# Diffusion.


def of_ddpm(run: Run, model: DDPM, images: np.ndarray, labels: np.ndarray | None) -> Drawings:
    """Draw pictures turning into noise, and noise turning into pictures."""
    ts = evenly(list(range(model.settings.num_timesteps)), SHOWN)
    forward = model.forward_process(one_of_each(images, labels, FOLLOWED), ts)
    num_steps = min(50, model.settings.num_timesteps)
    frames = model.trajectory(FOLLOWED, num_steps + 1, num_steps=num_steps)
    kept = evenly(list(range(len(frames))), SHOWN)
    visited = [int(t) for t in model.plan(num_steps=num_steps).timesteps]
    # A frame per step, before it is taken, and the result.
    labels_back = [*_moments([visited[i] for i in kept[:-1]]), "picture"]
    return {
        "forward": plots.picture_strip(forward, _moments(ts)),
        "trajectory": plots.picture_strip(frames[kept], labels_back),
    }


def _moments(ts: list[int]) -> list[str]:
    """Label timesteps, the first in full."""
    return [f"t = {ts[0]}", *map(str, ts[1:])]


# Adversarial.


def of_gan(run: Run, model: GAN, images: np.ndarray, labels: np.ndarray | None) -> Drawings:
    """Draw walks from one latent to another."""
    walks = [model.interpolate(2 * row, 2 * row + 1, SHOWN) for row in range(FOLLOWED)]
    return {"interpolation": pictures.strip(np.stack(walks, axis=1))}


OF_FAMILY: dict[str, Callable[..., Drawings]] = {
    "gan": of_gan,
    "ae": of_autoencoder,
    "vae": of_autoencoder,
    "ddpm": of_ddpm,
}
"""What each family draws besides: (run, model, images, labels) -> drawings by name."""
