"""kgen's side: the default preset of a family, trained by the function behind ``kgen train``."""

import os
from typing import Any

import numpy as np

from benchmarks.contestants import DATA, Codes, Outcome, Task, pictures
from benchmarks.contestants.budget import Speed, Stopwatch, trial_seconds
from kgen.report import Plan, Reporter

NEVER = 10**6


class Enough(Exception):
    """A trial has seen enough."""


class Watch(Reporter):
    """Notes what was spent when; the budget begins where the training does.

    Args:
        limit: seconds of processor time after which `Enough` is raised; None: no limit.
    """

    def __init__(self, limit: float | None = None):
        self.limit = limit
        self.clock = Stopwatch()
        self.marks: list[tuple[int, float]] = []
        self.plan: Plan | None = None

    def started(self, plan: Plan, step: int) -> None:
        """Start the clock."""
        self.plan = plan
        self.clock = Stopwatch()

    def stepped(
        self, step: int, epoch: int, metrics: dict[str, float], images_per_second: float
    ) -> None:
        """Note a moment."""
        self._mark(step)

    def epoch_ended(self, row: dict[str, float]) -> None:
        """Note the end of an epoch, evaluation included."""
        self._mark(int(row["step"]))

    def _mark(self, step: int) -> None:
        self.marks.append((step, self.clock.spent))
        if self.limit is not None and self.clock.spent > self.limit and len(self.marks) > 3:
            raise Enough


def compete(task: Task, family: str) -> Outcome:
    """Measure a step's cost, train as many as the budget pays for, and draw.

    The budget pays for everything between the first step and the last: compilation, evaluation
    after each epoch, the first epoch's pictures.
    """
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = str(task.threads)
    from kgen import backend

    backend.select(task.backend, device="cpu")
    from kgen import device, models, training
    from kgen.run import Run

    device.setup(device="cpu", seed=task.seed)
    trial = Watch(limit=trial_seconds(task.seconds))
    try:
        training.train(_run(task, family, NEVER, "trial"), reporter=trial)
    except Enough:
        steps = Speed.of(trial.marks).affordable(task.seconds)
    else:
        raise RuntimeError(f"A trial of {NEVER} steps ended.")
    watch = Watch()
    run = _run(task, family, steps, "run")
    training.train(run, reporter=watch)
    model = models.load(run)
    options = {"num_steps": task.sampling_steps} if family == "ddpm" else {}
    clock = Stopwatch()
    images = model.generate(task.n, seed=task.seed, **options)
    if watch.plan is None:
        raise RuntimeError("The training never started.")
    return Outcome(
        images=images,
        steps=steps,
        batch_size=run.config.training.batch_size,
        cpu_seconds=next(spent for step, spent in watch.marks if step == steps),
        sampling_seconds=clock.spent,
        parameters=watch.plan.parameters,
        codes=codes(model, task.seed) if family == "vae" else None,
    )


def _run(task: Task, family: str, steps: int, name: str) -> Any:
    """Make a run on all training pictures; nothing is written before its end but the log."""
    from kgen import run_config
    from kgen.run import Run

    config = run_config.resolve(family, overrides={
        "data.source": DATA,
        "data.validation": 0.0,
        "training.steps": steps,
        "training.seed": task.seed,
        "training.backend": task.backend,
        "training.device": "cpu",
        "training.checkpoint_minutes": float(NEVER),
        "training.sample_epochs": NEVER,
    })  # fmt: skip
    return Run.create(config, path=task.folder / name)


def codes(model: Any, seed: int) -> Codes:
    """Encode and rebuild pictures, as many of the training set as there are in the test set."""
    from kgen.noise import normal

    test = pictures("test")
    found = []
    for images in (pictures("train")[: len(test)], test):
        mean, logvar = (a.astype(np.float64) for a in model.posterior(images))
        z = mean + np.exp(logvar / 2) * normal(seed, mean.shape, stream=1)
        # Rounded to a 255th, which adds 784 / (12 * 255^2) = 0.001 to a squared error of some 10.
        rebuilt = model.decode(z.astype(np.float32))
        error = np.square((rebuilt.astype(np.float64) - images) / 255.0).sum((1, 2, 3)).mean()
        kl = 0.5 * (np.exp(logvar) - 1.0 - logvar + np.square(mean)).sum(-1).mean()
        found.append((float(error), float(kl)))
    (train_error, _), (test_error, test_kl) = found
    return Codes(
        train_error=train_error, test_error=test_error, test_kl=test_kl, pixels=test[0].size
    )
