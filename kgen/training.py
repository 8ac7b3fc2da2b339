"""Training a run from its configuration to its finished model.

The loop over the batches is here, and a :class:`~kgen.monitor.Monitor` watches it. It runs the
function that Keras compiles from the model's `train_step`, as ``fit`` does; but ``fit`` reads the
losses back at every step, and builds its input pipeline anew for every epoch.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import keras
import numpy as np

from kgen import __version__ as version
from kgen import backend, checkpoint, data, device, figures, memory, models
from kgen.errors import KgenError
from kgen.models.generative import GenerativeModel
from kgen.monitor import Monitor
from kgen.optimizers import build_optimizers, ema_decay
from kgen.report import Plan, Reporter, Result, device_words
from kgen.run import Run
from kgen.run_config import RunConfig
from kgen.step import engine
from kgen.stopping import StopRequest

MAX_VALIDATION = 2000
"""Held-out pictures that are looked at after each epoch, at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """A configuration brought to life: pictures, model and plan."""

    plan: Plan
    model: GenerativeModel
    batches: data.Batches
    train: data.DataSet
    validation: data.DataSet | None

    def held_out(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Return pictures to look at, uint8 (n, h, w, c), and their labels if there are any.

        They are held out of training, unless nothing is.
        """
        source = self.validation or self.train
        rows = np.arange(min(len(source.images), MAX_VALIDATION))
        return source.images.gather(rows), None if source.labels is None else source.labels[rows]


def prepare(config: RunConfig, reporter: Reporter | None = None) -> Setup:
    """Load the data and build the model, compiled and with fresh weights.

    The backend must have been selected and the device set up.

    Raises:
        KgenError: data or configuration is wrong.
    """
    reporter = reporter or Reporter()
    dataset = data.load(
        config.data.source,
        image_size=config.data.image_size,
        channels=config.data.channels,
        on_progress=reporter.data_progress,
    )
    _check_shared(dataset)
    seed = config.training.seed
    train, validation = data.split_validation(dataset, config.data.validation, seed)
    over = device.spread()
    _check_even(config, over.devices)
    batches = data.Batches(train, config.training.batch_size, seed, over.share)
    total = config.training.steps or (config.training.epochs or 1) * batches.steps_per_epoch
    shape = dataset.images.shape
    decay = ema_decay(config.optimizer, total)
    device.set_seed(seed)
    resident = memory.resident_bytes()
    model = models.build(config, shape, decay)
    model.accumulate = config.training.accumulate
    model.compile(
        optimizer=build_optimizers(config.optimizer, model.optimized(), total, model.updates()),
        jit_compile=device.jit_compile(),
        auto_scale_loss=False,
    )
    plan = Plan(
        data=dataset.name,
        licence=dataset.licence,
        image_shape=shape,
        train_images=len(train.images),
        validation_images=len(validation.images) if validation else 0,
        skipped=dataset.skipped,
        steps_per_epoch=batches.steps_per_epoch,
        total_steps=total,
        parameters={
            name: sum(int(np.prod(v.shape)) for v in part.trainable_variables)
            for name, part in model.trained_parts.items()
        },
        memory_bytes=memory.training_bytes(
            model,
            config.training.batch_size // over.devices,
            on_cpu=device.info().device == "cpu",
        ),
        resident_bytes=resident,
        ema_decay=decay,
        device=device_words(device.describe(), device.jit_compile()),
    )
    return Setup(plan=plan, model=model, batches=batches, train=train, validation=validation)


def train(run: Run, *, resume: bool = False, reporter: Reporter | None = None) -> Result:
    """Train a run to its end, or until Ctrl-C or SIGTERM ask for a stop.

    Over several devices (:func:`kgen.device.distribute`) it is the same training. Where they belong
    to several processes each calls this with the same run, whose folder all can read; one writes.

    Args:
        run: a new run, or with `resume` one that stopped anywhere.
        resume: go on from the newest whole checkpoint; without one, from the start.
        reporter: is told how it goes.

    Raises:
        KgenError: wrong data or configuration, a loss that is not finite, a folder that cannot be
            written. The checkpoints so far stay.
    """
    reporter = reporter or Reporter()
    setup = prepare(run.config, reporter)
    step = _resume(run, setup, reporter) if resume else 0
    total = setup.plan.total_steps
    earlier = float(run.summary().get("seconds", 0.0)) if resume else 0.0
    with StopRequest() as stop:
        facts = _facts(run, setup, earlier)
        monitor = Monitor(
            run=run, setup=setup, reporter=reporter, stop=stop, start=step, facts=facts
        )
        reporter.started(setup.plan, step)
        monitor.write_summary("running")
        try:
            for epoch, first, count in segments(step, total, setup.plan.steps_per_epoch):
                if monitor.stopping:
                    break
                run_epoch(setup, monitor, epoch, first, count)
            if monitor.step < total:
                monitor.save_checkpoint()
                status = "stopped"
            else:
                _finish(run, setup, monitor, reporter)
                status = "finished"
            monitor.write_summary(status)
        except BaseException:
            # A disk that is full takes no summary either; what went wrong first is what counts.
            with suppress(KgenError):
                monitor.write_summary("failed")
            raise
    return Result(
        status=status,
        step=monitor.step,
        total_steps=total,
        seconds=monitor.seconds,
        metrics=monitor.metrics,
    )


def segments(step: int, total: int, steps_per_epoch: int) -> Iterator[tuple[int, int, int]]:
    """Cut the steps from `step` to `total` into (epoch, first step in it, number of steps)."""
    while step < total:
        epoch, first = divmod(step, steps_per_epoch)
        count = min(steps_per_epoch - first, total - step)
        yield epoch, first, count
        step += count


def run_epoch(setup: Setup, monitor: Monitor, epoch: int, first: int, count: int) -> None:
    """Train on `count` batches of an epoch, from number `first` on, or until asked to stop."""
    model = setup.model
    model.reset_metrics()
    step = engine().stepper(model)
    monitor.epoch_begun()
    for index in range(first, first + count):
        logs = step(setup.batches.batch(epoch, index))
        if monitor.stepped(logs, last=index == first + count - 1):
            break
    engine().synchronise(model)
    monitor.epoch_ended(epoch)


def _resume(run: Run, setup: Setup, reporter: Reporter) -> int:
    """Restore the newest checkpoint and return its step; 0 where there is none yet."""
    found, problems = checkpoint.newest(run.checkpoints)
    for problem in problems:
        reporter.message(f"{problem} Using the one before.")
    if found is None:
        return 0
    for key, expected in _identity(run.config, setup).items():
        if found.header.get(key) != expected:
            raise KgenError(
                f"{run.path} cannot go on: {key.replace('_', ' ')} was {found.header.get(key)}, "
                f"now {expected}. Restore the data or start a new run."
            )
    checkpoint.restore(setup.model, found)
    if device.spread().writes:
        run.write_history([row for row in run.history() if row["step"] <= found.step])
    return found.step


def _identity(config: RunConfig, setup: Setup) -> dict[str, Any]:
    """What must not change between a checkpoint and its resumption."""
    return {
        "image_shape": list(setup.plan.image_shape),
        "train_images": setup.plan.train_images,
        "batch_size": config.training.batch_size,
        "loss_scaling": config.training.precision == "float16",
    }


def _facts(run: Run, setup: Setup, earlier: float) -> dict[str, Any]:
    """What a summary says whatever happens; `earlier` seconds were spent before a stop."""
    config = run.config
    return {
        "family": config.family,
        "preset": config.preset,
        "data": setup.plan.data,
        "licence": setup.plan.licence,
        "image_shape": list(setup.plan.image_shape),
        "train_images": setup.plan.train_images,
        **device.describe(),
        "deterministic": config.training.deterministic,
        "parameters": setup.plan.parameters,
        "ema_decay": setup.plan.ema_decay,
        "total_steps": setup.plan.total_steps,
        "versions": {"kgen": version, "keras": keras.__version__, **backend.installed()},
        "created": run.summary().get("created") or datetime.now(UTC).isoformat(timespec="seconds"),
        "earlier_seconds": earlier,
    }


def _check_shared(dataset: data.DataSet) -> None:
    """Check that all processes read the same pictures, as far as their number and size tell.

    Raises:
        KgenError: they do not.
    """
    here = f"{len(dataset.images)} of {dataset.name}, {dataset.images.shape}"
    if not device.same(here):
        raise KgenError(
            "Processes that train together expect the same pictures. Received: other ones in "
            f"others than in this process ({here}). Give each the same files."
        )


def _check_even(config: RunConfig, devices: int) -> None:
    """Check that every device can have as many pictures of a batch, or of each part of one.

    Raises:
        KgenError: it cannot.
    """
    size, parts = config.training.batch_size, config.training.accumulate
    if size % (devices * parts):
        times = f" times --accumulate, {devices} x {parts}" if parts > 1 else f", {devices}"
        raise KgenError(
            f"batch_size takes a multiple of the number of devices{times}. "
            f"Received: batch_size={size}."
        )


def _finish(run: Run, setup: Setup, monitor: Monitor, reporter: Reporter) -> None:
    """Write the finished model, its last checkpoint and the final pictures."""
    monitor.save_checkpoint()
    over = device.spread()
    if not over.writes:
        return
    device.alone()  # the other processes have no part in what follows
    models.save(setup.model, run.model_file)
    reporter.wrote(run.model_file)
    model = setup.model if over.devices == 1 else models.load(run)
    images, labels = setup.held_out()
    for path in figures.final(run, model, images, labels):
        reporter.wrote(path)
