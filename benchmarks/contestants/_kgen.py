"""kgen's side: the default preset of a family, trained by the function behind ``kgen train``."""

import math
import os
from typing import Any

import numpy as np

from benchmarks.contestants import DATA, Codes, Outcome, Task, pictures
from benchmarks.contestants.budget import Speed, Stopwatch, corrected, trial_seconds
from kgen.noise import normal
from kgen.report import Plan, Reporter

NEVER = 10**6
ENCODED_AT_ONCE = 500


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

    def spent(self, steps: int) -> float:
        """Return the seconds of processor time that so many steps took, which were marked."""
        return next(spent for step, spent in self.marks if step == steps)

    def _mark(self, step: int) -> None:
        self.marks.append((step, self.clock.spent))
        if self.limit is not None and self.clock.spent > self.limit and len(self.marks) > 3:
            raise Enough


def compete(task: Task, family: str) -> Outcome:
    """Measure a step's cost, train as many as the budget pays for, and draw.

    A run that has missed the budget all the same tells what a step costs, and is made once more.

    The budget pays for everything between the first step and the last: compilation, evaluation
    after each epoch, the first epoch's pictures.
    """
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = str(task.threads)
    from kgen import backend

    backend.select(task.backend, device="cpu")
    from kgen import device, models, training

    device.setup(device="cpu", seed=task.seed)
    trial = Watch(limit=trial_seconds(task.seconds))
    try:
        training.train(_run(task, family, NEVER, "trial"), reporter=trial)
    except Enough:
        steps = Speed.of(trial.marks).affordable(task.seconds)
    else:
        raise RuntimeError(f"A trial of {NEVER} steps ended.")
    run, watch = _train(task, family, steps, "run")
    if (right := corrected(steps, watch.spent(steps), task.seconds)) is not None:
        steps = right
        run, watch = _train(task, family, steps, "second-run")
    model = models.load(run)
    options: dict[str, Any] = {"num_steps": task.sampling_steps} if family == "ddpm" else {}
    clock = Stopwatch()
    images = model.generate(task.n, seed=task.seed, **options)
    if watch.plan is None:
        raise RuntimeError("The training never started.")
    return Outcome(
        images=images,
        steps=steps,
        batch_size=run.config.training.batch_size,
        cpu_seconds=watch.spent(steps),
        sampling_seconds=clock.spent,
        parameters=watch.plan.parameters,
        codes=codes(model, task.seed) if family == "vae" else None,
    )


def _train(task: Task, family: str, steps: int, name: str) -> tuple[Any, Watch]:
    """Train a run of so many steps; return it, and what it spent."""
    from kgen import training

    run, watch = _run(task, family, steps, name), Watch()
    training.train(run, reporter=watch)
    return run, watch


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


def codes(model: Any, seed: int) -> Codes | None:
    """Encode and rebuild pictures, as many of the training set as there are in the test set.

    The two terms are those of the model's own bound, whatever its prior; the squared error is what
    its Gaussian pixels of variance v make of it: error / (2 v) + pixels / 2 log(2 pi v). Other
    pixels have no such error: None.
    """
    from keras import ops

    from kgen.step import engine

    if not model.settings.likelihood.startswith("gaussian"):
        return None
    v = float(np.exp(ops.convert_to_numpy(model.likelihood.log_variance)))

    def terms(images: Any, eps: Any) -> Any:
        logs = model.loss_and_logs(model.scale(images), None, {"eps": eps}, training=False)[1]
        return ops.stack([logs["reconstruction"], logs["kl"]])

    look = engine().compiled(model, terms)
    test = pictures("test")
    pixels = test[0].size
    found = []
    for images in (pictures("train")[: len(test)], test):
        sums = np.zeros(2)
        for i in range(0, len(images), ENCODED_AT_ONCE):
            chunk = images[i : i + ENCODED_AT_ONCE]
            eps = normal(seed, (len(chunk), model.settings.latent_dim), stream=1 + i)
            tensors = (ops.convert_to_tensor(array) for array in (chunk, eps))
            sums += len(chunk) * ops.convert_to_numpy(look(*tensors)).astype(np.float64)
        reconstruction, kl = (sums / len(images)).tolist()
        error = 2 * v * (reconstruction - pixels / 2 * math.log(2 * math.pi * v))
        found.append((error, kl))
    (train_error, _), (test_error, test_kl) = found
    return Codes(train_error=train_error, test_error=test_error, test_kl=test_kl, pixels=pixels)
