"""Who is compared by benchmarks/quality.py: kgen's defaults, and what a user would pick instead.

Every contestant is a module with ``compete(task)``: it trains on the 60,000 training pictures of
Fashion-MNIST for a budget of processor time, draws pictures, and says what it spent. Modules of
references import PyTorch and one library, and nothing of Keras.
"""

import importlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

DATA = "fashion_mnist"


@dataclass(frozen=True, kw_only=True, slots=True)
class Contestant:
    """One who takes part.

    Attributes:
        family: ``gan``, ``vae`` or ``ddpm``; only equal families compare.
        module: of this package.
        what: in a few words, for the table.
        options: of the module's `compete`, besides the task.
    """

    family: str
    module: str
    what: str
    options: dict[str, Any] = field(default_factory=dict)


CONTESTANTS: dict[str, Contestant] = {
    "kgen-gan": Contestant(
        family="gan", module="_kgen", what="kgen train gan", options={"family": "gan"}
    ),
    "dcgan": Contestant(family="gan", module="_dcgan", what="PyTorch tutorial's DCGAN"),
    "kgen-vae": Contestant(
        family="vae", module="_kgen", what="kgen train vae", options={"family": "vae"}
    ),
    "pythae": Contestant(
        family="vae", module="_pythae", what="pythae VAE, its default networks",
        options={"networks": "default"},
    ),
    "pythae-conv": Contestant(
        family="vae", module="_pythae", what="pythae VAE, its MNIST networks",
        options={"networks": "mnist"},
    ),
    "kgen-ddpm": Contestant(
        family="ddpm", module="_kgen", what="kgen train ddpm", options={"family": "ddpm"}
    ),
    "diffusers": Contestant(
        family="ddpm", module="_diffusers", what="diffusers' recipe, 16 to 64 channels",
        options={"widths": (16, 32, 64)},
    ),
    "diffusers-wide": Contestant(
        family="ddpm", module="_diffusers", what="diffusers' recipe, 32 to 64 channels",
        options={"widths": (32, 64, 64)},
    ),
}  # fmt: skip
"""By name, kgen's before its rivals."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What a contestant has to do.

    Attributes:
        seconds: of processor time, over all threads, from the first training step to the last.
        seed: of weights, order, noise and samples.
        n: pictures to draw.
        threads: of the CPU.
        folder: for files.
        backend: Keras's, for kgen.
        sampling_steps: network calls for a picture of a diffusion model.
    """

    seconds: float
    seed: int
    n: int
    threads: int
    folder: Path
    backend: str = "tensorflow"
    sampling_steps: int = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Codes:
    """What a VAE's bound is made of, whatever its pixels' variance was in training.

    Attributes:
        train_error: mean over training pictures of the squared error of a picture in [0, 1],
            summed over pixels, with one draw of z.
        test_error: the same of test pictures.
        test_kl: mean over test pictures of the KL term, in nats.
        pixels: numbers in a picture.
    """

    train_error: float
    test_error: float
    test_kl: float
    pixels: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Outcome:
    """What came of it.

    Attributes:
        images: uint8 (n, 28, 28, 1).
        steps: of training.
        batch_size: pictures in a step.
        cpu_seconds: spent on them.
        sampling_seconds: of processor time, spent on drawing.
        parameters: trainable numbers, by network.
        codes: of a VAE, else None.
    """

    images: np.ndarray
    steps: int
    batch_size: int
    cpu_seconds: float
    sampling_seconds: float
    parameters: dict[str, int]
    codes: Codes | None = None

    def facts(self) -> dict[str, Any]:
        """Return all but the pictures, as plain values."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name != "images"}
        return {**plain, "codes": asdict(self.codes) if self.codes else None}


def compete(name: str, task: Task) -> Outcome:
    """Let a contestant work, in this process."""
    contestant = CONTESTANTS[name]
    module = importlib.import_module(f"benchmarks.contestants.{contestant.module}")
    return module.compete(task, **contestant.options)


def pictures(split: str) -> np.ndarray:
    """Return all pictures of a split, uint8 (N, 28, 28, 1), without Keras."""
    from kgen import data

    images = data.load(DATA, split=split).images
    return images.gather(np.arange(len(images)))
