"""How much memory a training takes at its peak, beside what `--dry-run` estimates.

Every figure comes from a fresh process: its largest resident set, less what it had before the model
was built. Linux and macOS. On Linux without the files that are mapped, such as libraries: how much
of those is resident depends on how the system has cached them, and it takes them back at need.

    python benchmarks/memory.py                     # default presets, and larger batches
    python benchmarks/memory.py --steady            # does it grow with steps, epochs, pictures?
    python benchmarks/memory.py --fit               # the constants of kgen's estimate
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BACKENDS = ("tensorflow", "torch", "jax")
FAMILIES = ("gan", "vae", "ddpm")
GOAL = 0.25
"""How far the estimate may be from the peak, relative to it."""

TIMES = ((1, 1), (4, 1), (4, 4), (16, 8))
"""Batches measured, in units of the preset's, and the parts that they are computed in."""


def main() -> None:
    """Read the command line, measure, and print a table."""
    parser = argparse.ArgumentParser(description="How much memory a training takes.")
    parser.add_argument("--backends", nargs="+", default=BACKENDS, choices=BACKENDS)
    parser.add_argument("--families", nargs="+", default=FAMILIES, choices=(*FAMILIES, "ae"))
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--steady", action="store_true", help="peaks of longer and larger runs")
    parser.add_argument("--fit", action="store_true", help="fit the estimate's constants")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(work(json.loads(options.worker))))
    elif options.steady:
        print_steady(options)
    else:
        print_peaks(options)


def measure(backend: str, **case: Any) -> dict[str, Any]:
    """Train a case in a fresh process; see :func:`work` for what it takes and returns."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "MPLBACKEND": "Agg"}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)  # compiling is part of what is measured
    done = subprocess.run(
        [sys.executable, __file__, "--worker", json.dumps({"backend": backend, **case})],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{done.stderr}\n{case} on {backend} failed; see above.")
    return json.loads(done.stdout.splitlines()[-1])


def work(case: dict[str, Any]) -> dict[str, Any]:
    """Train in this process.

    Args:
        case: ``backend``, ``family``, ``preset``, ``overrides`` of its configuration, by the names
            of their options; and either ``steps``, made without anything between them, or ``run``,
            the folder for a whole training, and ``draw``, pictures to draw after it.

    Returns:
        Bytes ``before`` the model was built, ``peak`` above that, ``estimate``, and what the
        estimate is made of.
    """
    from kgen import backend, device, run_config

    backend.select(case["backend"])
    device.setup(device="cpu", precision=case["overrides"].get("training.precision", "float32"))
    from keras import ops

    float(ops.sum(ops.ones((3,))))  # the backend is awake
    config = run_config.resolve(case["family"], preset=case["preset"], overrides=case["overrides"])
    mapped = _mapped_when_planned()
    setup = train(config, case["run"], case["draw"]) if "run" in case else step(config, case)
    before = setup.plan.resident_bytes - mapped[0]
    return {
        "before": before,
        "peak": _largest_resident() - _mapped() - before,
        "estimate": setup.plan.memory_bytes,
        **features(setup, config),
    }


def step(config: Any, case: dict[str, Any]) -> Any:
    """Make a few training steps."""
    from kgen.step import engine
    from kgen.training import prepare

    setup = prepare(config)
    run = engine().stepper(setup.model)
    for index in range(case["steps"]):
        logs = run(setup.batches.batch(*divmod(index, setup.plan.steps_per_epoch)))
        for value in logs.values():
            float(value)  # waits for the device
    return setup


def train(config: Any, folder: str, draw: int) -> Any:
    """Train a run to its end, as `kgen train` does, and draw pictures."""
    from kgen import models, training
    from kgen.run import Run

    kept = []
    prepare = training.prepare
    training.prepare = lambda *given: kept.append(prepare(*given)) or kept[0]
    run = Run.create(config, path=Path(folder))
    training.train(run)
    if draw:
        models.load(run).generate(draw)
    return kept[0]


def features(setup: Any, config: Any) -> dict[str, Any]:
    """Return what the estimate multiplies, and what by.

    That is layers, and bytes of their outputs in a part of the batch; and the backend's footprint.
    """
    from kgen import memory
    from kgen.step import engine

    networks = setup.model.trained_parts.values()
    size = config.training.batch_size / config.training.accumulate
    outputs = sum(memory.output_bytes(network) for network in networks) * size
    layers = sum(len(network.layers) for network in networks)
    return {"layers": layers, "outputs": outputs, "footprint": asdict(engine().FOOTPRINT)}


def _mapped_when_planned() -> list[int]:
    """Return a list, to which what is mapped is added when kgen asks what the process has."""
    from kgen import memory

    found, resident_bytes = [], memory.resident_bytes

    def watched() -> int:
        found.append(_mapped())
        return resident_bytes()

    memory.resident_bytes = watched
    return found


def _mapped() -> int:
    """Return how much of the resident set are pages of files, in bytes; elsewhere than on Linux 0.

    What was mapped stays so: at the peak it was not much less than at the end.
    """
    import psutil

    return getattr(psutil.Process().memory_info(), "shared", 0)


def _largest_resident() -> int:
    """Return the largest main memory that this process ever had, in bytes."""
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Not getrusage, which on Linux counts what the process was before it became this program.
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def print_peaks(options: argparse.Namespace) -> None:
    """Print peak and estimate of every family, batch size and number of parts."""
    print(f"MB above what the process had before the model; goal: within {GOAL:.0%}")
    print(f"{'backend':<11}{'family':<7}{'batch':>6}{'parts':>6}{'before':>8}{'peak':>7}"
          f"{'estimate':>9}{'ratio':>7}")  # fmt: skip
    for backend in options.backends:
        found = []
        for family in options.families:
            for times, parts in TIMES:
                found.append(_peak(options, backend, family, times, parts))
                _print_row(backend, family, found[-1])
        if options.fit:
            print_fit(backend, found)


def _peak(
    options: argparse.Namespace, backend: str, family: str, times: int, parts: int
) -> dict[str, Any]:
    """Measure one line of the table."""
    from kgen import run_config

    preset = run_config.resolve(family, preset=options.preset)
    batch = times * preset.training.batch_size
    overrides = {
        "training.batch_size": batch,
        "training.accumulate": parts,
        "training.precision": options.precision,
        "data.source": "embedded",
        "data.validation": 0.0,
    }
    found = measure(backend, family=family, preset=options.preset, overrides=overrides,
                    steps=options.steps)  # fmt: skip
    return found | {"batch": batch, "parts": parts}


def _print_row(backend: str, family: str, row: dict[str, Any]) -> None:
    """Print one line of the table."""
    ratio = row["estimate"] / row["peak"]
    before, peak, estimate = (row[name] / 1e6 for name in ("before", "peak", "estimate"))
    mark = "" if abs(ratio - 1) <= GOAL else "  off"
    print(f"{backend:<11}{family:<7}{row['batch']:>6}{row['parts']:>6}{before:>8.0f}{peak:>7.0f}"
          f"{estimate:>9.0f}{ratio:>7.2f}{mark}", flush=True)  # fmt: skip


def print_fit(backend: str, rows: list[dict[str, Any]]) -> None:
    """Print the constants that fit the peaks best, by least squares of relative differences."""
    import numpy as np
    from scipy.optimize import nnls

    columns = np.array([[1e6, 1e6 * row["layers"], row["outputs"]] for row in rows])
    now = rows[0]["footprint"]
    fitted = columns @ [now["program"] / 1e6, now["layer"] / 1e6, now["activations"]]
    peaks, estimates = (np.array([row[name] for row in rows]) for name in ("peak", "estimate"))
    counted = estimates - fitted
    constants, _ = nnls(columns / peaks[:, None], 1 - counted / peaks)
    print(f"{backend}: program {constants[0]:.0f} MB, layer {constants[1]:.2f} MB, "
          f"activations {constants[2]:.2f}")  # fmt: skip


def print_steady(options: argparse.Namespace) -> None:
    """Print peaks of whole trainings that differ in one thing only."""
    print(f"{'backend':<11}{'family':<7}{'what grows':<28}{'peaks, MB':>20}")
    for backend in options.backends:
        for family in options.families:
            for what, small, large in STEADY:
                peaks = [_steady_peak(backend, family, case) / 1e6 for case in (small, large)]
                print(f"{backend:<11}{family:<7}{what:<28}{peaks[0]:>10.0f}{peaks[1]:>10.0f}",
                      flush=True)  # fmt: skip


STEADY = (
    ("epochs: 3, 30", {"epochs": 3}, {"epochs": 30}),
    ("steps: 90, 900", {"epochs": 1, "count": 800}, {"epochs": 1, "count": 8_000}),
    ("pictures drawn: 128, 8,192", {"epochs": 1, "draw": 128}, {"epochs": 1, "draw": 8_192}),
)
"""What is measured with little of it and with ten times as much or more; batches of 8."""


def _steady_peak(backend: str, family: str, case: dict[str, Any]) -> int:
    """Train a run on so many pictures in a memory-mapped file; return its peak."""
    import numpy as np

    count = case.get("count", 64)
    with tempfile.TemporaryDirectory(prefix="kgen-memory-") as folder:
        pictures = np.random.default_rng(0).integers(0, 256, (count, 28, 28, 1), np.uint8)
        np.save(Path(folder) / "pictures.npy", pictures)
        overrides = {
            "data.source": str(Path(folder) / "pictures.npy"),
            "data.validation": 0.1,
            "training.batch_size": 8,
            "training.epochs": case["epochs"],
        }
        return measure(backend, family=family, preset="quick", overrides=overrides,
                       run=str(Path(folder) / "run"), draw=case.get("draw", 0))["peak"]  # fmt: skip


if __name__ == "__main__":
    main()
