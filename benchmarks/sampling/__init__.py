"""Who draws in benchmarks/sample.py, by which library, and what each needs.

A contestant is a function ``open(task) -> Drawing``: it loads its library and its network, in a
process of its own, and returns what draws. kgen's all have the same weights; diffusers' are others,
for speed does not depend on what a network has learned.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np

SIZE = 28
"""Sides of the pictures, which have one channel."""
STEPS = 50
"""Of DDIM, without noise (eta = 0)."""
WIDTHS = (16, 32, 40)
"""Channels of diffusers' levels, 28, 14 and 7 pixels wide: of those with one block a level and
attention at 7 the nearest to the default U-Net in parameters (359,961 beside 360,388)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What is drawn.

    Attributes:
        pictures: in a call.
        precision: ``float32`` or ``bfloat16``.
        device: ``cpu`` or ``gpu``.
        widths: channels of diffusers' levels.
        folder: with what :func:`benchmarks.sampling._kgen.prepare` wrote.
    """

    pictures: int
    precision: str = "float32"
    device: str = "cpu"
    widths: tuple[int, ...] = WIDTHS
    folder: Path = Path()


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """A contestant at work.

    Attributes:
        draw: () -> pictures, uint8 (n, SIZE, SIZE, 1), on the host.
        parameters: of the network; None where that is not known.
        flops: of the network for one picture, as PyTorch counts them; None likewise.
    """

    draw: Callable[[], np.ndarray]
    parameters: int | None = None
    flops: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Contestant:
    """One who takes part.

    Attributes:
        module: of this package.
        function: of it, ``(task, **options) -> Drawing``.
        needs: the library that is not kgen's own dependency, by its module.
        install: how to get it.
        options: of the function.
    """

    module: str
    function: str
    needs: str
    install: str
    options: dict[str, Any] = field(default_factory=dict)

    def open(self, task: Task) -> Drawing:
        """Load everything; the process is this contestant's from now on."""
        module = importlib.import_module(f"benchmarks.sampling.{self.module}")
        return getattr(module, self.function)(task, **self.options)

    def missing(self) -> str | None:
        """Say what is to be installed; None if nothing is."""
        if util.find_spec(self.needs) is not None:
            return None
        return f"{self.needs} is not installed: {self.install}"


def _keras(backend: str) -> Contestant:
    return Contestant(
        module="_kgen", function="in_keras", needs=backend,
        install=f'pip install -e ".[{backend}]"', options={"backend": backend},
    )  # fmt: skip


def _file(function: str, runtime: str, module: str, package: str) -> Contestant:
    return Contestant(
        module="_kgen", function=function, needs=module, install=f"pip install {package}",
        options={"runtime": runtime},
    )  # fmt: skip


REFERENCE = "diffusers"
CONTESTANTS: dict[str, Contestant] = {
    REFERENCE: Contestant(
        module="_diffusers", function="pipeline", needs="diffusers",
        install='pip install -e ".[torch]" -r benchmarks/requirements-quality.txt',
    ),
    "keras-tensorflow": _keras("tensorflow"),
    "keras-torch": _keras("torch"),
    "keras-jax": _keras("jax"),
    "onnx-loop": _file("by_loop", "onnxruntime", "onnxruntime", "onnxruntime"),
    "onnx-sampler": _file("in_one_call", "onnxruntime", "onnxruntime", "onnxruntime"),
    "litert-loop": _file("by_loop", "litert", "ai_edge_litert", "ai-edge-litert"),
    "litert-sampler": _file("in_one_call", "litert", "ai_edge_litert", "ai-edge-litert"),
}  # fmt: skip
"""By name; the one that the others are compared with comes first."""
