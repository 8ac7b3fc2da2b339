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
    """Images per second of every round, kgen's and the hand-written loop's."""

    case: str
    backend: str
    batch_size: int
    steps: int
    kgen: list[float]
    handwritten: list[float]

    @property
    def ratio(self) -> float:
        """Median over the rounds of kgen's speed by the loop's: what changes slowly cancels."""
        pairs = zip(self.kgen, self.handwritten, strict=True)
        return statistics.median(kgen / other for kgen, other in pairs)


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
    size = config.training.batch_size
    fit, by_hand = fitting(config, folder / "run"), looping(config)
    speeds: tuple[list[float], list[float]] = ([], [])
    for epoch in range(rounds + 1):
        for train, kept in zip((fit, by_hand), speeds, strict=True):
            begun = clock()
            train(epoch)
            if epoch > 0:  # the first one compiles
                kept.append(steps * size / (clock() - begun))
    return Measurement(
        case=name, backend=keras.backend.backend(), batch_size=size, steps=steps,
        kgen=speeds[0], handwritten=speeds[1],
    )  # fmt: skip


def fitting(config: Any, folder: Path) -> Callable[[int], None]:
    """Prepare kgen's training as `kgen train` does; returns what trains an epoch."""
    setup = training.prepare(config)
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
    plan, batches = setup.plan, setup.batches
    recipe = Recipe.of(config, plan.ema_decay, plan.total_steps, device.jit_compile())
    handwritten = loop(keras.backend.backend(), setup.model, recipe)

    def train(epoch: int) -> None:
        losses: dict[str, Any] = {}
        for step in range(plan.steps_per_epoch):
            images, _ = batches.batch(epoch, step)
            losses = handwritten.step(images)
        for loss in losses.values():
            float(loss)  # waits for the device

    return train
