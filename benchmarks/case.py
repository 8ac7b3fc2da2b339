"""What benchmarks/train.py measures on one backend: kgen's training and a hand-written loop.

The backend must have been selected and the device set up before this module is imported.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from benchmarks import flops, plain
from benchmarks.ceiling import peak_memory
from benchmarks.handwritten import Recipe, loop
from kgen import data, device, run_config, training
from kgen.monitor import Monitor
from kgen.report import Reporter
from kgen.run import Run
from kgen.stopping import StopRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A model to train: a family, its preset, and how many steps make a measurement."""

    family: str
    preset: str
    steps: int


CASES = {
    "gan": Case(family="gan", preset="quick", steps=30),
    "vae": Case(family="vae", preset="quick", steps=60),
    "vae-notes": Case(family="vae", preset="notes", steps=468),
    "ddpm": Case(family="ddpm", preset="quick", steps=20),
}
"""The default networks, and the notes' MLP, whose step is short enough to show every overhead."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """What was found of one family on one backend.

    Attributes:
        case: a key of `CASES`.
        backend: Keras's.
        batch_size: pictures in a step.
        steps: steps in a round.
        flops: of products, by picture; see benchmarks/flops.py.
        kgen: images per second of every round.
        handwritten: the hand-written loop's, in the same rounds.
        plain: the plain PyTorch network's, in its faster memory format; empty on other backends
            and where there is none.
        peak_bytes: most memory of an accelerator that kgen's training had in use, if known.
    """

    case: str
    backend: str
    batch_size: int
    steps: int
    flops: int
    kgen: list[float]
    handwritten: list[float]
    plain: list[float]
    peak_bytes: int | None

    @property
    def ratio(self) -> float:
        """Median over the rounds of kgen's speed by the loop's: what changes slowly cancels."""
        pairs = zip(self.kgen, self.handwritten, strict=True)
        return statistics.median(kgen / other for kgen, other in pairs)

    @property
    def flops_per_second(self) -> float:
        """How fast kgen's training multiplies: the median over the rounds."""
        return self.flops * statistics.median(self.kgen)


class StepMonitor(Monitor):
    """What kgen does after every step, without what it does after an epoch."""

    def epoch_ended(self, epoch: int) -> None:
        """Leave out evaluation, pictures and files: they are not training."""


def configure(case: Case, folder: Path, steps: int, rounds: int, batch_size: int | None) -> Any:
    """Make the run's configuration; its data are the embedded pictures, repeated to an epoch.

    An epoch is one round of `steps` batches, and there is one more to warm up.
    """
    preset = run_config.resolve(case.family, preset=case.preset)
    batch_size = batch_size or preset.training.batch_size
    pictures = data.load("embedded").images
    rows = np.arange(steps * batch_size) % len(pictures)
    np.save(folder / "pictures.npy", pictures.gather(rows))
    return run_config.resolve(case.family, preset=case.preset, overrides={
        "data.source": str(folder / "pictures.npy"),
        "data.validation": 0.0,
        "training.batch_size": batch_size,
        "training.steps": steps * (rounds + 1),
        "training.checkpoint_minutes": 1e9,
        # What the loops know; Muon's cost has a measurement of its own.
        "optimizer.name": "adam",
    })  # fmt: skip


def measure(
    name: str,
    folder: Path,
    *,
    rounds: int,
    steps: int | None = None,
    batch_size: int | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Measurement:
    """Train by kgen and by hand in turn, `rounds` times each.

    kgen's side is what ``kgen train`` runs: its loop, its monitor, which reports the losses and
    checks that they are finite. Neither side has evaluation or pictures.
    """
    case = CASES[name]
    steps = steps or case.steps
    config = configure(case, folder, steps, rounds, batch_size)
    setup = training.prepare(config)
    sides = {"kgen": fitting(config, setup, folder / "run")}
    sides["kgen"](0)  # compiles
    peak_bytes = peak_memory()  # before anybody else needs some
    sides["handwritten"] = looping(config)
    if keras.backend.backend() == "torch" and name in plain.MODULES:
        for channels_last in (False, True):
            sides[f"plain{channels_last:d}"] = plainly(name, config, channels_last)
    for train in [*list(sides.values())[1:], *sides.values()]:
        train(0)  # once more when all are compiled: a compiler slows what runs right after it
    size = config.training.batch_size
    speeds: dict[str, list[float]] = {side: [] for side in sides}
    for epoch in range(1, rounds + 1):
        for side, train in sides.items():
            begun = clock()
            train(epoch)
            speeds[side].append(steps * size / (clock() - begun))
    formats = [found for side, found in speeds.items() if side.startswith("plain")]
    return Measurement(
        case=name, backend=keras.backend.backend(), batch_size=size, steps=steps,
        flops=flops.per_picture(setup.model), peak_bytes=peak_bytes,
        kgen=speeds["kgen"], handwritten=speeds["handwritten"],
        plain=max(formats, key=statistics.median, default=[]),
    )  # fmt: skip


def fitting(config: Any, setup: Any, folder: Path) -> Callable[[int], None]:
    """Make a run of kgen's training as `kgen train` does; returns what trains an epoch."""
    run = Run.create(config, path=folder)
    stop = StopRequest()
    monitor = StepMonitor(
        run=run, setup=setup, reporter=Reporter(), stop=stop, start=0, facts={"earlier_seconds": 0}
    )
    count = setup.plan.steps_per_epoch
    return lambda epoch: training.run_epoch(setup, monitor, epoch, 0, count)


def looping(config: Any) -> Callable[[int], None]:
    """Prepare the hand-written loop on a model of its own; returns what trains an epoch."""
    setup = training.prepare(config)
    return feeding(setup, loop(keras.backend.backend(), setup.model, recipe_of(config, setup)))


def plainly(name: str, config: Any, channels_last: bool) -> Callable[[int], None]:
    """Prepare the plain PyTorch network; returns what trains an epoch. On Keras's device."""
    from benchmarks.plain.loop import Setting

    setup = training.prepare(config)
    active: Any = keras.ops.zeros(())
    setting = Setting(
        device=str(active.device),
        bfloat16=keras.config.dtype_policy().compute_dtype == "bfloat16",
        channels_last=channels_last,
    )
    return feeding(setup, plain.build(name, setup.model, recipe_of(config, setup), setting))


def recipe_of(config: Any, setup: Any) -> Recipe:
    """Read what the loops have to know."""
    plan = setup.plan
    return Recipe.of(config, plan.ema_decay, plan.total_steps, device.jit_compile())


def feeding(setup: Any, trained: Any) -> Callable[[int], None]:
    """Return what trains a loop for an epoch, and waits for it."""
    plan, batches = setup.plan, setup.batches

    def train(epoch: int) -> None:
        losses: dict[str, Any] = {}
        for step in range(plan.steps_per_epoch):
            images, _ = batches.batch(epoch, step)
            losses = trained.step(images)
        for loss in losses.values():
            float(loss)  # waits for the device

    return train
