"""How fast pictures are drawn by DDIM, beside diffusers: ``python benchmarks/sample.py``.

The default U-Net in Keras on each backend and in exported files, and diffusers' pipeline with a
network of as many parameters, each in a process of its own, in turn: A B C, A B C. What each
contestant is, is said in benchmarks/README.md.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from benchmarks.sampling import CONTESTANTS, STEPS, WIDTHS, Task  # noqa: E402
from benchmarks.sampling.turns import CLOCKS, Row, Turn, measure, serve  # noqa: E402

PREPARE = "prepare"
"""The process that writes what kgen's contestants open."""


def main() -> None:
    """Measure every number of pictures and print a table, or JSON."""
    options = parse()
    if options.worker:
        work(options)
        return
    results: list[Row] = []
    for pictures in options.pictures:
        found = one_count(options, pictures)
        if not options.json:
            print_table(found, options)
        results += found
    if options.json:
        kept = [{k: v for k, v in asdict(row).items() if k != "drawn"} for row in results]
        print(json.dumps(kept, indent=2))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    names = list(CONTESTANTS)
    parser.add_argument("--contestants", nargs="+", choices=names, default=names)
    parser.add_argument("--pictures", nargs="+", type=int, default=[16, 1], help="in a call")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of all contestants, in turn")
    parser.add_argument("--repeats", type=int, default=3, help="calls in a round")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument(
        "--widths", nargs="+", type=int, default=list(WIDTHS), help="channels of diffusers' levels"
    )
    parser.add_argument(
        "--clock", choices=list(CLOCKS), default="wall",
        help="processor: seconds of computing; on a busy machine, with taskset to one core",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON, with every round")
    parser.add_argument("--worker", choices=[PREPARE, *names], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, default=Path(), help=argparse.SUPPRESS)
    return parser.parse_args()


def work(options: argparse.Namespace) -> None:
    """Be the process of a contestant, or that which prepares."""
    from kgen.errors import KgenError

    task = Task(
        pictures=options.pictures[0], precision=options.precision, device=options.device,
        widths=tuple(options.widths), folder=options.folder,
    )  # fmt: skip
    try:
        if options.worker == PREPARE:
            from benchmarks.sampling._kgen import prepare

            prepare(task)
        else:
            serve(options.worker, task, CLOCKS[options.clock], options.repeats)
    except KgenError as error:
        sys.exit(str(error))


def one_count(options: argparse.Namespace, pictures: int) -> list[Row]:
    """Measure all contestants at one number of pictures."""
    rows = [Row(name=name, pictures=pictures) for name in options.contestants]
    with tempfile.TemporaryDirectory(prefix="kgen-benchmark-") as folder:
        command = [sys.executable, __file__, *sys.argv[1:], "--pictures", str(pictures)]
        command += ["--folder", folder, "--worker"]
        done = subprocess.run([*command, PREPARE], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{done.stderr}\nThe default network could not be exported; see above.")
        measure(rows, lambda name: Turn([*command, name]), options.rounds)
    return rows


def print_table(rows: list[Row], options: argparse.Namespace) -> None:
    """Print a line for each contestant."""
    show = partial(print, flush=True)
    show(f"DDIM, {STEPS} steps, {rows[0].pictures} at once, {options.precision}, {options.device}")
    heads = ("ms/picture", "x diffusers", "parameters", "MFLOP", "levels")
    show(f"{'contestant':<18}" + "".join(f"{head:>13}" for head in heads))
    for row in rows:
        if row.problem is not None:
            show(f"{row.name:<18}  does not work: {row.problem}")
            continue
        cells = (
            f"{row.ms:.3f}",
            "-" if row.ratio is None else f"{row.ratio:.2f}",
            "-" if row.parameters is None else f"{row.parameters:,}",
            "-" if row.flops is None else f"{row.flops / 1e6:.1f}",
            "-" if row.levels is None else f"{row.levels}",
        )
        show(f"{row.name:<18}" + "".join(f"{cell:>13}" for cell in cells))


if __name__ == "__main__":
    main()
