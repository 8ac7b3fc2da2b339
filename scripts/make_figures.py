"""Draw the figures of README and docs, from kgen's mathematics and from finished runs.

    python scripts/make_figures.py [--runs runs] [--out docs/figures] [--only NAME ...]

Figures of the theory are computed here. Those of trained models take, of the runs under --runs,
the newest finished one that fits; what has no run yet is named at the end, with the command that
trains it. KERAS_BACKEND chooses the backend.
"""

import argparse
import functools
import io
import os
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import theory
from PIL import Image

from kgen import data, figures, models, pictures, plots
from kgen.figures import Drawing, Drawings
from kgen.models.autoencoder import VAE
from kgen.run import Run, list_runs

COLOURS = 256
"""Colours kept of a figure, lines with their soft edges."""

GREYS = 24
"""Grey levels kept of small pictures."""

PLANE = {
    "ae": " --latent-dim 2 --epochs 150",
    # With a small variance the two latents crowd on one side of the prior for many epochs.
    "vae": " --latent-dim 2 --prior normal --likelihood gaussian --variance 1 --epochs 100",
}
"""Options of the runs whose latent space is drawn."""

DEFAULT_GRID = 64
"""Pictures that `kgen sample` draws unless told otherwise, from seed 0: README's grids."""


class MissingRunError(Exception):
    """There is no finished run to draw from; the message is the command that makes one."""


class Runs:
    """The finished runs under a folder, newest first."""

    def __init__(self, root: Path):
        finished = [run for run in list_runs(root) if run.summary().get("status") == "finished"]
        self.runs = sorted(finished, key=lambda run: run.summary()["updated"], reverse=True)

    def newest(self, family: str, plane: bool = False) -> Run:
        """Return the newest run of a family, with two latents if it is the latent plane's.

        Raises:
            MissingRunError: there is none.
        """
        for run in self.runs:
            two = getattr(run.config.model, "latent_dim", None) == 2
            if run.config.family == family and two == plane:
                return run
        raise MissingRunError(f"kgen train {family}" + (PLANE[family] if plane else ""))


@functools.cache
def held_out(run: Run) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...] | None]:
    """Return the pictures that a run held out, their labels and the names of the classes."""
    config = run.config
    dataset = data.load(
        config.data.source, image_size=config.data.image_size, channels=config.data.channels
    )
    _, held = data.split_validation(dataset, config.data.validation, config.training.seed)
    chosen = held or dataset
    rows = np.arange(min(len(chosen), 2000))
    labels = None if chosen.labels is None else chosen.labels[rows]
    return chosen.images.gather(rows), labels, chosen.class_names


@functools.cache
def drawings(run: Run) -> Drawings:
    """Draw what a run of this family leaves behind at its end."""
    model = models.load(run)
    images, labels, _ = held_out(run)
    own = figures.OF_FAMILY[model.family](run, model, images, labels)
    return own | figures.progress(run, model.image_shape)


def sample(run: Run) -> Drawing:
    """Draw what `kgen sample FAMILY --out grid.png` does."""
    return pictures.grid(models.load(run).generate(DEFAULT_GRID))


def latent_spaces(runs: Runs) -> Drawing:
    """Draw the latent planes of an AE and a VAE side by side."""
    pair = [runs.newest(family, plane=True) for family in ("ae", "vae")]
    return plots.latent_spaces(
        [figures.latent_space(models.load(run), *held_out(run)) for run in pair]
    )


def manifold(run: Run) -> Drawing:
    """Draw what a VAE with two latents decodes all over its prior."""
    model = models.load(run)
    if not isinstance(model, VAE):
        raise TypeError(f"Expected a VAE. Received: {type(model).__name__}.")
    return pictures.grid(model.manifold(14), pad=0)


FIGURES: dict[str, Callable[[Runs], Drawing]] = {
    "gan_game_1d": lambda runs: theory.gan_game(),
    "schedules": lambda runs: theory.schedules(),
    "decoder_variance": lambda runs: theory.decoder_variance(),
    "gan_grid": lambda runs: sample(runs.newest("gan")),
    "gan_progress": lambda runs: drawings(runs.newest("gan"))["progress"],
    "gan_interpolation": lambda runs: drawings(runs.newest("gan"))["interpolation"],
    "ae_reconstructions": lambda runs: drawings(runs.newest("ae"))["reconstructions"],
    "vae_grid": lambda runs: sample(runs.newest("vae")),
    "vae_reconstructions": lambda runs: drawings(runs.newest("vae"))["reconstructions"],
    "vae_manifold": lambda runs: manifold(runs.newest("vae", plane=True)),
    "latent_spaces": latent_spaces,
    "ddpm_grid": lambda runs: sample(runs.newest("ddpm")),
    "forward_process": lambda runs: drawings(runs.newest("ddpm"))["forward"],
    "reverse_trajectory": lambda runs: drawings(runs.newest("ddpm"))["trajectory"],
}


def quantised(drawing: Drawing) -> Image.Image:
    """Reduce a drawing to few colours, which a repository holds in a third of the bytes."""
    if isinstance(drawing, Image.Image):
        return drawing.quantize(GREYS if drawing.mode == "L" else COLOURS)
    buffer = io.BytesIO()
    with plots.style():
        drawing.savefig(buffer, format="png")
    # Clusters, not the median cut alone: that spends the palette on greys and turns dots pale.
    coarse = Image.open(buffer).convert("RGB")
    return coarse.quantize(COLOURS, kmeans=3, dither=Image.Dither.NONE)


def main() -> None:
    """Draw the figures asked for, and name the runs that lack."""
    parser = argparse.ArgumentParser(description="Draw the figures of README and docs.")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of finished runs")
    parser.add_argument("--out", type=Path, default=Path("docs/figures"))
    parser.add_argument("--only", nargs="+", choices=list(FIGURES), default=list(FIGURES))
    arguments = parser.parse_args()
    runs = Runs(arguments.runs)
    missing: dict[str, list[str]] = {}
    for name in arguments.only:
        try:
            drawing = FIGURES[name](runs)
        except MissingRunError as error:
            missing.setdefault(str(error), []).append(name)
            continue
        path = arguments.out / f"{name}.png"
        pictures.save_png(path, quantised(drawing))
        print(f"{path}  {path.stat().st_size:,} bytes")
    if missing:
        lines = [f"  {command:60} for {', '.join(names)}" for command, names in missing.items()]
        raise SystemExit("\n".join([f"Runs that {arguments.runs} lacks:", *lines]))


if __name__ == "__main__":
    main()
