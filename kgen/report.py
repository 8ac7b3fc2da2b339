"""What long work tells whoever waits for it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a configuration amounts to, before any training.

    Attributes:
        data: name of the pictures.
        licence: whose pictures they are, where known.
        image_shape: (height, width, channels).
        train_images: pictures to learn from.
        validation_images: pictures held out.
        skipped: files that could not be read.
        steps_per_epoch: batches in one pass.
        total_steps: steps of the whole run.
        parameters: trainable numbers of each network.
        memory_bytes: estimate of what training takes at its peak (:mod:`kgen.memory`): main memory
            on a CPU, elsewhere the device's; of several devices, each one's.
        resident_bytes: main memory that the process had before: Python, backend and pictures.
        ema_decay: decay of the weight average.
        device: backend, device and precision in words.
    """

    data: str
    licence: str | None
    image_shape: tuple[int, int, int]
    train_images: int
    validation_images: int
    skipped: tuple[str, ...]
    steps_per_epoch: int
    total_steps: int
    parameters: dict[str, int]
    memory_bytes: int
    resident_bytes: int
    ema_decay: float
    device: str

    @property
    def epochs(self) -> int:
        """Passes over the data, the last one perhaps not whole."""
        return -(-self.total_steps // self.steps_per_epoch)


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """How a training ended: `status` is ``finished`` or ``stopped``."""

    status: str
    step: int
    total_steps: int
    seconds: float
    metrics: dict[str, float] = field(default_factory=dict)


class Reporter:
    """Receives the events of a training; does nothing with them. A terminal overrides it."""

    def started(self, plan: Plan, step: int) -> None:
        """Training begins, at `step` (above 0 when it resumes)."""

    def stepped(
        self, step: int, epoch: int, metrics: dict[str, float], images_per_second: float
    ) -> None:
        """A step is done; called a few times a second at most. `metrics` are epoch means."""

    def epoch_ended(self, row: dict[str, float]) -> None:
        """An epoch is done; `row` is what history.csv gets."""

    def wrote(self, path: Path) -> None:
        """A file is complete."""

    def message(self, text: str) -> None:
        """Something worth knowing happened."""

    def data_progress(self, done: int, total: int) -> None:
        """Pictures are being read."""


def device_words(description: dict[str, Any], jit: bool = False) -> str:
    """Say backend, devices and precision in words, and whether XLA compiles the step."""
    devices, processes = description["devices"], description["processes"]
    where = description["device"] if devices == 1 else f"{devices} x {description['device']}"
    if processes > 1:
        where += f" in {processes} processes"
    words = "{backend} on {where}, {precision}".format(where=where, **description)
    return f"{words}, compiled by XLA" if jit else words
