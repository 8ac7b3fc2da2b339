"""kgen's side: the default U-Net in Keras, and in the files that ``kgen export`` makes of it."""

from typing import Any

import numpy as np

from benchmarks.sampling import STEPS, Drawing, Task
from kgen.errors import KgenError


def prepare(task: Task) -> None:
    """Write what the contestants open: a run of the default network, and its bundle.

    There are no files in bfloat16, so no bundle either.
    """
    from kgen import backend

    backend.select("tensorflow", device="cpu")
    from benchmarks.export import make_run
    from kgen import device
    from kgen_exports.export import export
    from kgen_exports.job import Job

    device.setup(device="cpu", precision=task.precision)
    run = make_run("ddpm", task.folder)
    if task.precision == "float32":
        job = Job(
            run=str(run.path), family="ddpm", precisions=("fp32",), batch=task.pictures,
            sampler={"sampler": "ddim", "num_steps": STEPS},
        )  # fmt: skip
        export(job, task.folder / "bundle")


def in_keras(task: Task, backend: str) -> Drawing:
    """Draw as ``kgen generate`` does: the network compiled, the loop in Python."""
    import kgen.backend

    kgen.backend.select(backend, device=task.device)
    from kgen import device, models
    from kgen.run import Run

    device.setup(device=task.device, precision=task.precision)
    model: Any = models.load(Run.open(task.folder / "run"))

    def draw() -> np.ndarray:
        return model.generate(task.pictures, sampler="ddim", num_steps=STEPS)

    def call() -> Any:
        shape = (1, *model.image_shape)
        return model.denoise(np.zeros(shape, np.uint8), np.zeros(1, np.int32), np.zeros(shape))

    network = model.parts["denoiser"]
    flops = None
    if backend == "torch":
        from benchmarks.sampling.flops import operations

        flops = operations(call)
    return Drawing(draw=draw, parameters=network.count_params(), flops=flops)


def by_loop(task: Task, runtime: str) -> Drawing:
    """Draw from the denoiser's file for any number of pictures, the loop in NumPy."""
    bundle = _bundle(task)

    def draw() -> np.ndarray:
        return bundle.generate(task.pictures, runtime=runtime, device=task.device, num_steps=STEPS)

    return Drawing(draw=draw)


def in_one_call(task: Task, runtime: str) -> Drawing:
    """Draw by one call of the sampler's file for so many pictures; noise and bytes are made here.

    Raises:
        KgenError: the bundle has no such file.
    """
    from kgen.noise import normal
    from kgen_exports.runtime.session import RUNTIMES

    bundle = _bundle(task)
    files = bundle.manifest.parts["sampler"].of(RUNTIMES[runtime], "fp32")
    fixed = [entry for entry in files if entry.batch == task.pictures]
    if not fixed:
        raise KgenError(f"The export has no sampler of {task.pictures} pictures for {runtime}.")
    session = bundle.session(fixed[0], task.device)
    shape = (task.pictures, *bundle.image_shape)
    return Drawing(draw=lambda: bundle.pictures(session.run({"noise": normal(0, shape)})["image"]))


def _bundle(task: Task) -> Any:
    from kgen_exports.runtime import load

    if task.precision != "float32":
        raise KgenError(f"There are no exported files in {task.precision}.")
    return load(task.folder / "bundle")
