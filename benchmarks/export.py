"""How fast exported files are, beside Keras and beside Keras's own export.

``python benchmarks/export.py`` exports a model of each family, and the same networks by plain
``keras.Model.export``, and measures one picture in each, in turn: A B C ... A B C ... What each
row is, is said in benchmarks/README.md.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FAMILIES = ("gan", "vae", "ddpm")
SIZE = (28, 28, 1)
PREDICT, COMPILED = "Keras predict", "Keras compiled"
STOCK = {"onnx": "Keras export, ONNX", "litert": "Keras export, LiteRT"}
FORMATS = {"onnx": "onnx", "litert": "tflite"}
"""Suffix of the files of each of Keras's formats."""


@dataclass(kw_only=True)
class Row:
    """One way to run a part.

    Attributes:
        part: what is run; ``sampler`` is all steps of a ddpm.
        way: how.
        work: runs it once on a picture; None where this way does not work.
        bytes: of the file; None for Keras.
        problem: why it does not work.
        max_error: largest difference from Keras's output.
        rounds: seconds of the fastest run of each round.
    """

    part: str
    way: str
    work: Callable[[], Any] | None = None
    bytes: int | None = None
    problem: str | None = None
    max_error: float | None = None
    rounds: list[float] = field(default_factory=list)


def main() -> None:
    """Measure every family in a process of its own and print a table, or JSON."""
    options = parse()
    if options.worker:
        work(options)
        return
    results: list[dict[str, Any]] = []
    for name in options.runs or options.families:
        found = in_process(name)
        for result in () if options.json else found:
            print_row(result, first=not results and result is found[0])
        results += found
    if options.json:
        print(json.dumps(results, indent=2))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--runs", nargs="+", metavar="RUN", help="finished runs, in their place")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU, on every side")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of all ways, in turn")
    parser.add_argument("--repeats", type=int, default=10, help="runs in a round")
    parser.add_argument("--json", action="store_true", help="print JSON, with every round")
    parser.add_argument("--worker", metavar="NAME", help=argparse.SUPPRESS)
    return parser.parse_args()


def in_process(name: str) -> list[dict[str, Any]]:
    """Measure one run, or a family's default network, in a fresh process."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ, "PYTHONPATH": os.pathsep.join(paths), "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, __file__, *sys.argv[1:], "--worker", name],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{done.stderr}\n{name} failed; see above.")
    return json.loads(done.stdout.splitlines()[-1])


def work(options: argparse.Namespace) -> None:
    """Measure in this process, and print the result as one line of JSON."""
    from kgen import backend

    backend.select("tensorflow", device="cpu")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    from kgen import device
    from kgen.run import Run

    device.setup(device="cpu", precision="float32")
    with (
        tempfile.TemporaryDirectory(prefix="kgen-benchmark-") as folder,
        open(os.devnull, "w", encoding="utf-8") as nowhere,
    ):
        with redirect_stdout(nowhere), redirect_stderr(nowhere):
            new = options.worker in FAMILIES
            run = make_run(options.worker, Path(folder)) if new else Run.open(options.worker)
            rows = ways(run, Path(folder), options.threads)
        take_turns(rows, options.rounds, options.repeats)
    print(json.dumps(summed_up(rows)))


def make_run(family: str, folder: Path) -> Any:
    """Write a finished run of the default network, untrained: its speed is that of a trained one.

    Noise is added to every weight: zeros, which some layers start from, may be faster.
    """
    from kgen import models, run_config
    from kgen.noise import normal
    from kgen.run import Run

    config = run_config.resolve(family, preset="quick")
    run = Run.create(config, path=folder / "run")
    model = models.build(config, SIZE, ema_decay=0.9)
    # Of the networks only: a schedule's tables are not learned, and are checked when it is loaded.
    weights = [variable for part in model.parts.values() for variable in part.weights]
    for stream, variable in enumerate(weights):
        if variable.shape and variable.dtype == "float32":
            noise = normal(0, tuple(variable.shape), stream=stream)
            variable.assign_add(0.02 * abs(noise))
    models.save(model, run.model_file)
    run.write_summary({"status": "finished", "family": family, "licence": "none"})
    return run


def ways(run: Any, folder: Path, threads: int) -> list[Row]:
    """Export a run both ways, and open all there is to measure."""
    from kgen_exports.bench import CALL, LOOP, job
    from kgen_exports.export import export
    from kgen_exports.job import Job
    from kgen_exports.keras_timer import compiled
    from kgen_exports.parts import parts_of
    from kgen_exports.runtime import load
    from kgen_exports.worker import float32_model

    family = run.config.family
    export(Job(run=str(run.path), family=family), folder / "bundle")
    bundle = load(folder / "bundle")
    golden, manifest = bundle.golden(), bundle.manifest
    model = float32_model(run)
    rows = []
    for name, part in parts_of(model).items():
        if name not in manifest.parts:
            continue
        calls = {PREDICT: (predicted(part), None), COMPILED: (compiled(model, part), None)}
        problems = {}
        for form, way in STOCK.items():
            try:
                calls[way] = stock(part, form, folder / f"stock-{name}.{FORMATS[form]}", threads)
            # Whatever a converter or a runtime raises is what that way comes to.
            except Exception as error:
                problems[way] = (str(error).strip().splitlines() or [type(error).__name__])[0]
        whole = [(name, CALL), *([("sampler", LOOP)] if name == "denoiser" else [])]
        for shown, kind in whole:
            for way, (call, size) in calls.items():
                doing = job(manifest, golden, name, kind, 1, call)
                rows.append(Row(part=shown, way=way, work=doing, bytes=size))
            rows += [Row(part=shown, way=way, problem=text) for way, text in problems.items()]
            for entry in manifest.parts[shown].files:
                if entry.batch == 1:
                    session = bundle.session(entry, threads=threads)
                    doing = job(manifest, golden, shown, CALL, 1, session.run)
                    rows.append(
                        Row(part=shown, way=f"kgen, {entry.path}", work=doing, bytes=entry.bytes)
                    )
    return rows


def predicted(part: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Run a part by `predict`."""
    network = part.model()
    names = [spec.name for spec in part.inputs]

    def call(feeds: dict[str, Any]) -> dict[str, Any]:
        inputs = [feeds[name] for name in names]
        return network.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)

    return call


def stock(
    part: Any, form: str, path: Path, threads: int
) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], int]:
    """Export a part as Keras does it by itself, and open the file; its call and its size."""
    import numpy as np

    from kgen_exports.runtime.session import open_session

    network = part.model()
    # Keras exports no model that was never called.
    examples = [np.zeros((1, *spec.shape[1:]), spec.dtype) for spec in part.inputs]
    network(examples if len(examples) > 1 else examples[0])
    network.export(str(path), format=form, verbose=False)
    runtime = {"onnx": "onnxruntime", "litert": "litert"}[form]
    session = open_session(path, runtime=runtime, threads=threads)
    # Keras names inputs as it likes; no two inputs of a part have as many axes.
    by_axes = {len(shape): name for name, shape in session.inputs.items()}
    names = {spec.name: by_axes[len(spec.shape)] for spec in part.inputs}
    outputs = [spec.name for spec in part.outputs]

    def call(feeds: dict[str, Any]) -> dict[str, Any]:
        made = session.run({names[name]: array for name, array in feeds.items()})
        return dict(zip(outputs, made.values(), strict=True))

    return call, path.stat().st_size


def take_turns(rows: list[Row], rounds: int, repeats: int) -> None:
    """Measure all ways of a part in turn, and how far each is from Keras compiled."""
    from kgen_exports.bench import timed

    for part in dict.fromkeys(row.part for row in rows):
        found = [row for row in rows if row.part == part]
        (reference,) = (row.work for row in found if row.way == COMPILED)
        for row in found:
            if row.work is not None and reference is not None:
                row.max_error = difference(row.work(), reference())
        for _ in range(rounds):
            for row in found:
                if row.work is not None:
                    # The fastest of a round: what other programs disturb the least.
                    row.rounds.append(min(timed(row.work, repeats)))


def difference(made: Any, reference: Any) -> float:
    """Return the largest difference; outputs by name, or a picture that a loop made."""
    pairs = [(made, reference)]
    if isinstance(reference, dict):
        made = made if isinstance(made, dict) else {"image": made}
        pairs = [(made[name], reference[name]) for name in reference]
    elif isinstance(made, dict):
        pairs = [(made["image"], reference)]
    return max(float(abs(a - b).max()) for a, b in pairs)


def summed_up(rows: list[Row]) -> list[dict[str, Any]]:
    """Return plain values, with the ratios: how many times as fast as each of the others."""
    results = []
    for row in rows:
        form = "ONNX" if row.way.endswith((".onnx", "ONNX")) else "LiteRT"
        against = {PREDICT: "predict", COMPILED: "compiled", f"Keras export, {form}": "stock"}
        ratios: dict[str, float | None] = dict.fromkeys(against.values())
        for other in rows:
            if other.part == row.part and other.way in against and other.rounds and row.rounds:
                pairs = zip(other.rounds, row.rounds, strict=True)
                ratios[against[other.way]] = statistics.median(a / b for a, b in pairs)
        if row.way in (PREDICT, COMPILED):
            ratios["stock"] = None
        kept = {key: value for key, value in vars(row).items() if key != "work"}
        results.append({**kept, "ratios": ratios})
    return results


def print_row(result: dict[str, Any], *, first: bool) -> None:
    """Print one line of the table; the first time, the head too."""
    heads = ("x predict", "x compiled", "x stock", "ms", "kB", "error")
    if first:
        print("one picture; ratios: how many times as fast")
        print(f"{'part':<11}{'way':<34}" + "".join(f"{head:>11}" for head in heads))
    start = f"{result['part']:<11}{result['way']:<34}"
    if result["problem"] is not None:
        print(f"{start}  does not work: {result['problem'][:80]}", flush=True)
        return
    ratios = (result["ratios"][key] for key in ("predict", "compiled", "stock"))
    size = "" if result["bytes"] is None else f"{result['bytes'] / 1000:.0f}"
    cells = [
        *("" if ratio is None else f"{ratio:.2f}" for ratio in ratios),
        f"{1000 * statistics.median(result['rounds']):.3f}",
        size,
        f"{result['max_error']:.0e}",
    ]
    print(start + "".join(f"{cell:>11}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
