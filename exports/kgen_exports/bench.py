"""How fast the files of a bundle are on this machine, beside each other and beside Keras.

A file and Keras are measured in turn, A B A B, so that what slows the machine for a while slows
both, and their ratio holds.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kgen import device
from kgen.errors import KgenError
from kgen_exports.keras_timer import KerasTimer, keras_timer
from kgen_exports.manifest import FileEntry, Manifest
from kgen_exports.proof import golden_inputs, step_noise
from kgen_exports.runtime import Bundle
from kgen_exports.runtime.bundle import check_file
from kgen_exports.runtime.session import RUNTIMES, Session, installed, open_session
from kgen_exports.sampler import walk

ROUNDS = 5
"""Turns of the file and of Keras."""
REPEATS = 50
SECONDS = 0.5
"""Unless told how often, a file is run `REPEATS` times, or less often for about so long."""
LOADS = 3
"""Fresh sessions whose load and first run are timed."""
CALL, LOOP = "call", "loop"

Arrays = dict[str, np.ndarray]
Call = Callable[[Arrays], Arrays]
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """How fast one file is at one number of threads; times in milliseconds.

    Attributes:
        part: whose file it is.
        work: ``call``, one call of the file; ``loop``, all steps of a sampler on the host.
        path: name of the file.
        format: ``onnx`` or ``tflite``.
        precision: of the file.
        runtime: that ran it.
        batch: pictures in a call.
        threads: of the CPU.
        bytes: size of the file.
        load_ms: median time to open it in a fresh session.
        first_ms: median time of the first run of a fresh session.
        median_ms, q1_ms, q3_ms: of the later runs: their median and quartiles.
        runs: how many these were.
        images_per_second: batch by median.
        keras_ms: median of the same work in Keras, compiled; None where it was not measured.
        ratio: how many times as fast as Keras, the fastest run of a round by Keras's fastest, and
            of that the median over the rounds; None likewise.
    """

    part: str
    work: str
    path: str
    format: str
    precision: str
    runtime: str
    batch: int
    threads: int
    bytes: int
    load_ms: float
    first_ms: float
    median_ms: float
    q1_ms: float
    q3_ms: float
    runs: int
    images_per_second: float
    keras_ms: float | None
    ratio: float | None


def measure(
    bundle: Bundle, *, threads: Sequence[int] = (), repeats: int | None = None,
    run: Path | None = None, say: Say = lambda line: None,
) -> tuple[list[Speed], dict[str, int]]:  # fmt: skip
    """Measure every file at every number of threads.

    Args:
        bundle: whose files.
        threads: numbers of threads; none are 1 and all cores.
        repeats: runs of each file; None are `REPEATS`, fewer of slow ones.
        run: folder of the run that was exported, to compare with Keras; None does not.
        say: told each step.

    Returns:
        The speeds, and by runtime the number of files left out because it is not installed.

    Raises:
        KgenError: a file is missing or changed, no runtime is installed, or Keras cannot load the
            run.
    """
    here = installed()
    if not here:
        raise KgenError("No runtime is installed. pip install onnxruntime ai-edge-litert")
    runtimes = {form: runtime for runtime, form in RUNTIMES.items()}
    skipped: dict[str, int] = {}
    files = []
    for part, entry in bundle.manifest.files():
        check_file(bundle.path / entry.path, entry.bytes, entry.sha256)
        runtime = runtimes[entry.format]
        if runtime in here:
            files.append((part, entry))
        else:
            skipped[runtime] = skipped.get(runtime, 0) + 1
    golden = bundle.golden()
    speeds = []
    for count in threads or all_threads():
        if run is not None:
            say(f"loading the model in Keras, {_counted(count)}")
        with keras_timer(run, bundle.path, count) if run is not None else nullcontext() as keras:
            for part, entry in files:
                for work in works(part):
                    say(f"measuring {entry.path}, {_counted(count)}")
                    speeds.append(_speed(bundle, golden, part, entry, work, count, repeats, keras))
    return speeds, skipped


def all_threads() -> tuple[int, ...]:
    """Return 1 and the number of cores that this process may use, where that is another."""
    return tuple(dict.fromkeys((1, device.cores())))


def _counted(threads: int) -> str:
    return f"{threads} thread{'' if threads == 1 else 's'}"


def works(part: str) -> tuple[str, ...]:
    """List what is measured of a part."""
    return (CALL, LOOP) if part == "denoiser" else (CALL,)


def job(
    manifest: Manifest, golden: Arrays, part: str, work: str, batch: int, call: Call
) -> Callable[[], Any]:
    """Make the work that is timed, of a file or of Keras: the same inputs, all made before.

    Args:
        manifest: of the bundle.
        golden: its golden cases, from which the inputs are taken.
        part: what is run.
        work: `CALL` or `LOOP`.
        batch: pictures at a time.
        call: from arrays by name to arrays by name.
    """
    rows = np.arange(batch) % manifest.golden["count"]
    if work == CALL:
        feeds = {
            name: np.ascontiguousarray(array[rows])
            for name, array in golden_inputs(manifest, part, golden).items()
        }
        return lambda: call(feeds)
    table = manifest.sampler
    if table is None:
        raise KgenError(f"A {manifest.kind} has no sampler.")
    noise = np.ascontiguousarray(golden["sampler/in/noise"][rows])
    fresh = (
        step_noise(manifest, len(golden["sampler/in/noise"]))[rows] if table.stochastic else None
    )
    (output,) = (spec.name for spec in manifest.parts[part].outputs)

    def z(i: int) -> np.ndarray:
        if fresh is None:
            raise KgenError("A sampler without noise asked for some.")
        return fresh[:, i].reshape(noise.shape)

    return lambda: walk(lambda xt, t: call({"xt": xt, "t": t})[output], noise, table, z)


def timed(work: Callable[[], Any], runs: int) -> list[float]:
    """Return the seconds of each run; one before them wakes threads and caches up."""
    work()
    return [seconds(work) for _ in range(runs)]


def seconds(work: Callable[[], Any]) -> float:
    """Return how long one run takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _speed(
    bundle: Bundle, golden: Arrays, part: str, entry: FileEntry, work: str, threads: int,
    repeats: int | None, keras: KerasTimer | None,
) -> Speed:  # fmt: skip
    """Measure one file."""
    batch = entry.batch or 1
    path = bundle.path / entry.path
    runtime = next(name for name, form in RUNTIMES.items() if form == entry.format)
    loads, firsts = [], []
    open_session(path, runtime=runtime, threads=threads)  # the first of all also starts the runtime
    for _ in range(LOADS):
        begun = time.perf_counter()
        session: Session = open_session(path, runtime=runtime, threads=threads)
        loads.append(time.perf_counter() - begun)
        run_file = job(bundle.manifest, golden, part, work, batch, session.run)
        firsts.append(seconds(run_file))
    per_round = runs_per_round(seconds(run_file), repeats)
    times, others, ratios = [], [], []
    for count in per_round:
        times.append(timed(run_file, count))
        if keras is not None:
            others.append(keras.seconds(part=part, work=work, batch=batch, runs=count))
            # The fastest of a round: what other programs disturb the least.
            ratios.append(min(others[-1]) / min(times[-1]))
    q1, median, q3 = (
        1000 * float(q) for q in np.quantile(np.concatenate(times), (0.25, 0.5, 0.75))
    )
    return Speed(
        part=part, work=work, path=entry.path, format=entry.format, precision=entry.precision,
        runtime=runtime, batch=batch, threads=threads, bytes=entry.bytes,
        load_ms=1000 * statistics.median(loads), first_ms=1000 * statistics.median(firsts),
        median_ms=median, q1_ms=q1, q3_ms=q3, runs=sum(per_round),
        images_per_second=1000 * batch / median,
        keras_ms=1000 * float(np.median(np.concatenate(others))) if others else None,
        ratio=statistics.median(ratios) if ratios else None,
    )  # fmt: skip


def runs_per_round(one: float, repeats: int | None) -> list[int]:
    """Share the runs out to the rounds.

    Args:
        one: seconds of a run.
        repeats: runs in all; None are `REPEATS`, or as many as take about `SECONDS`.
    """
    wanted = repeats or min(REPEATS, max(ROUNDS, int(SECONDS / max(one, 1e-9))))
    rounds = min(ROUNDS, wanted)
    return [wanted // rounds + (i < wanted % rounds) for i in range(rounds)]
