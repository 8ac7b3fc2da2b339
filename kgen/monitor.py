"""Watching a training step by step: progress, checkpoints, history, pictures, trouble."""

import math
import os
import socket
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kgen import checkpoint, device, pictures, plots
from kgen.errors import KgenError
from kgen.report import Reporter
from kgen.run import Run
from kgen.step import engine
from kgen.stopping import StopRequest

if TYPE_CHECKING:
    from kgen.training import Setup

REPORT_SECONDS = 0.2

AGREE_STEPS = 8
"""Steps between two questions to the other processes whether one was asked to stop."""


class Monitor:
    """Told of every step and epoch of a run, and does what is due between them.

    A step's losses are on the device. Reading them waits for the step, so they are read where
    somebody looks: a few times a second, before a checkpoint, and at the end of an epoch. They are
    means over the epoch, so one that is not finite stays so until it is read.

    Of several processes that train together each has one. What they compute together, all of them
    compute at the same step; what is written, one of them writes.

    Args:
        run: where everything is written.
        setup: what is trained.
        reporter: who is told.
        stop: asks for the end of the training.
        start: steps done before.
        facts: what the summary says beside the progress.
    """

    def __init__(
        self,
        *,
        run: Run,
        setup: "Setup",
        reporter: Reporter,
        stop: StopRequest,
        start: int,
        facts: Mapping[str, Any],
    ):
        self.run, self.setup, self.reporter, self.stop = run, setup, reporter, stop
        self.facts = dict(facts)
        self.over = device.spread()
        self.stopping = False
        self.step = start
        self.metrics: dict[str, float] = {}
        self.rows = run.history() if start else []
        self.started = self.saved = time.monotonic()
        self.reported = 0.0
        self.clock = StepClock(run.config.training.batch_size)
        boarded = run.config.output.tensorboard and self.over.writes
        self.board = _board(run) if boarded else None

    def epoch_begun(self) -> None:
        """Start the clock of the epoch."""
        self.clock.start()

    def stepped(self, logs: Mapping[str, Any], *, last: bool) -> bool:
        """Count a step; read its losses, report and save when it is time.

        Args:
            logs: means of the losses since the epoch's begin, scalars on the device.
            last: whether the epoch ends here.

        Returns:
            Whether to stop here. The losses have been read then: a checkpoint may follow.
        """
        self.step += 1
        now = time.monotonic()
        reporting = now - self.reported > REPORT_SECONDS
        saving = now - self.saved >= 60 * self.run.config.training.checkpoint_minutes
        if reporting or saving or last:
            self._read(logs)
        self.clock.tick()
        if reporting:
            self.reported = now
            self.reporter.stepped(self.step, self._epoch(), self.metrics, self.clock.rate)
        if saving:
            self.save_checkpoint()
        if self._is_time_to_stop(last):
            self._read(logs)
        return self.stopping

    def epoch_ended(self, epoch: int) -> None:
        """Evaluate, note the row, and draw the pictures that are due."""
        steps = self.setup.plan.steps_per_epoch
        whole = self.step % steps == 0
        last = self.step == self.setup.plan.total_steps
        if not (whole or last):
            return
        self._add_row(epoch + 1, self._evaluate())
        config = self.run.config.training
        if (epoch + 1) % config.sample_epochs == 0 or last or epoch == 0:
            self._draw(epoch + 1)
        self.write_summary("running")
        self._is_time_to_stop(True)

    # What they are made of.

    def _is_time_to_stop(self, last: bool) -> bool:
        """Settle whether to stop after this step: of several processes, all or none."""
        if self.over.processes == 1:
            self.stopping = self.stop.asked
        elif last or self.step % AGREE_STEPS == 0:
            self.stopping = self.stopping or device.agree(self.stop.asked)
        return self.stopping

    def _epoch(self) -> int:
        """Number of the current epoch, from 1."""
        return (self.step - 1) // self.setup.plan.steps_per_epoch + 1

    def _read(self, logs: Mapping[str, Any]) -> None:
        """Wait for a step's losses; KgenError if one was not finite, before that can be saved."""
        self.metrics = {name: float(value) for name, value in logs.items()}
        if all(math.isfinite(value) for value in self.metrics.values()):
            return
        model = self.setup.model
        engine().synchronise(model)
        step = int(keras.ops.convert_to_numpy(model.first_bad_step)) + 1
        kept = checkpoint.paths(self.run.checkpoints)
        raise KgenError(
            f"The loss stopped being finite at step {step} ({_words(self.metrics)}). "
            + (f"The last good checkpoint is {kept[-1]}. " if kept else "")
            + "Try a smaller --learning-rate, a --clip-norm, or --precision float32."
        )

    def _evaluate(self) -> dict[str, float]:
        """Measure the model on held-out pictures; empty if none are held out."""
        model = self.setup.model
        images, labels = self.setup.held_out()
        extra = model.examine(images)
        if self.setup.validation is None:
            return extra
        # Parts as equal as can be: one shape to compile, or two.
        parts = math.ceil(len(images) / self.run.config.training.batch_size)
        arrays = (images,) if labels is None else (images, labels)
        model.reset_metrics()
        test, logs = engine().tester(model), {}
        for batch in zip(*(np.array_split(array, parts) for array in arrays), strict=True):
            logs = test(batch)
        return {f"val_{name}": float(value) for name, value in logs.items()} | extra

    def _add_row(self, epoch: int, evaluation: dict[str, float]) -> None:
        """Append an epoch to the history and its drawing."""
        row: dict[str, float] = {"epoch": epoch, "step": self.step, **self.metrics, **evaluation}
        row |= {"images_per_second": round(self.clock.rate, 1), "seconds": round(self.seconds, 2)}
        self.rows.append(row)
        if self.over.writes:
            self.run.write_history(self.rows)
        self.metrics = {**self.metrics, **evaluation}
        if self.board is not None:
            for name, value in row.items():
                self.board.add_scalar(name, value, self.step)
            self.board.flush()
        self.reporter.epoch_ended(row)

    def _draw(self, epoch: int) -> None:
        """Draw the epoch's grid, from the same noise every time, and the curves."""
        model = self.setup.model
        images = model.preview(self.run.config.output.grid)
        if not self.over.writes:
            return
        path = self.run.samples / f"epoch-{epoch:04d}.png"
        pictures.save_png(path, pictures.grid(images))
        plots.save_figure(self.run.curves_file, plots.curves(self.rows, model.references))
        self.reporter.wrote(path)

    def save_checkpoint(self) -> None:
        """Write a checkpoint of the current step."""
        engine().synchronise(self.setup.model)
        self.saved = time.monotonic()
        if not self.over.writes:
            return
        plan = self.setup.plan
        header = {
            "step": self.step,
            "image_shape": list(plan.image_shape),
            "train_images": plan.train_images,
            "batch_size": self.run.config.training.batch_size,
            "loss_scaling": self.run.config.training.precision == "float16",
            "ema_decay": plan.ema_decay,
            "backend": keras.backend.backend(),
        }
        checkpoint.save(self.run.checkpoints, self.setup.model, header)
        self.saved = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds of training, those before a stop included."""
        return self.facts["earlier_seconds"] + time.monotonic() - self.started

    def write_summary(self, status: str) -> None:
        """Write how the run goes."""
        if not self.over.writes:
            return
        facts = {key: value for key, value in self.facts.items() if key != "earlier_seconds"}
        self.run.write_summary({
            "status": status,
            **facts,
            "step": self.step,
            "epoch": self._epoch() if self.step else 0,
            "seconds": round(self.seconds, 2),
            "images_per_second": round(self.clock.rate, 1),
            "metrics": self.metrics,
            "updated": datetime.now(UTC).isoformat(timespec="seconds"),
            "host": socket.gethostname(),
            "pid": os.getpid(),
        })  # fmt: skip


class StepClock:
    """Images per second over the steps proper: without compilation, evaluation and drawing."""

    def __init__(self, batch_size: int):
        self.batch_size = batch_size
        self.steps, self.total = 0, 0.0
        self._last: float | None = None
        self._compiled = False

    def start(self) -> None:
        """Begin an epoch; what came since the last step does not count."""
        self._last = time.perf_counter()

    def tick(self) -> None:
        """Note the end of a step; the very first compiles and does not count."""
        now = time.perf_counter()
        if self._compiled and self._last is not None:
            self.steps += 1
            self.total += now - self._last
        self._compiled, self._last = True, now

    @property
    def rate(self) -> float:
        """Images per second so far; 0 before the second step."""
        return self.steps * self.batch_size / self.total if self.total else 0.0


def _words(metrics: dict[str, float]) -> str:
    """Write metrics as `name=value` pairs."""
    return ", ".join(f"{name}={value:.4g}" for name, value in metrics.items())


def _board(run: Run) -> Any:
    """Open a TensorBoard writer in the run's folder.

    Raises:
        KgenError: the package is not installed.
    """
    try:
        from tensorboard.summary import Writer
    except ImportError as error:
        raise KgenError(
            "--tensorboard needs the package tensorboard. Install it: pip install kgen[tensorboard]"
        ) from error
    return Writer(str(run.path / "tensorboard"))
