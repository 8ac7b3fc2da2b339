"""How fast kgen trains, beside a hand-written loop: ``python benchmarks/train.py``.

For each family and backend, images per second of kgen's training and of a loop written in the
backend's own API on the same networks (benchmarks/handwritten), measured in turn, A B A B, in one
process per backend. What each side includes is said in benchmarks/README.md.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BACKENDS = ("tensorflow", "torch", "jax")
NAMES = ("gan", "vae", "vae-notes", "ddpm")
GOAL = 0.95
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


def main() -> None:
    """Measure every backend in a process of its own and print a table, or JSON."""
    options = parse()
    if options.worker:
        work(options)
        return
    results = []
    for backend in options.backends:
        for family in options.families:
            results.append(in_process(backend, family))
            if not options.json:
                print_row(results[-1], first=len(results) == 1)
    if options.json:
        print(json.dumps(results, indent=2))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--families", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--batch-size", type=int, help="default: each preset's own")
    parser.add_argument("--steps", type=int, help="steps in a round; default: one to two seconds")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each side, in turn")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")
    parser.add_argument(
        "--clock", choices=list(CLOCKS), default="wall",
        help="processor: seconds of computing; on a busy machine, with taskset to one core",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON, with every round")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def in_process(backend: str, family: str) -> dict[str, Any]:
    """Measure one family on one backend in a fresh process."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    arguments = [*sys.argv[1:], "--worker", "--backends", backend, "--families", family]
    done = subprocess.run(
        [sys.executable, __file__, *arguments], env=environment, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{done.stderr}\n{family} on {backend} failed; see above.")
    return json.loads(done.stdout.splitlines()[-1])


def work(options: argparse.Namespace) -> None:
    """Measure in this process, and print the result as one line of JSON."""
    from kgen import backend, device

    backend.select(options.backends[0], device=options.device)
    info = device.setup(device=options.device, precision=options.precision)
    from benchmarks.case import measure

    with tempfile.TemporaryDirectory(prefix="kgen-benchmark-") as folder:
        found = measure(
            options.families[0],
            Path(folder),
            rounds=options.rounds,
            steps=options.steps,
            batch_size=options.batch_size,
            clock=CLOCKS[options.clock],
        )
    result = {**asdict(found), "ratio": found.ratio}
    result |= {"device": info.device_name, "precision": info.precision}
    print(json.dumps(result))


def print_row(result: dict[str, Any], *, first: bool) -> None:
    """Print one line of the table; the first time, the head too."""
    if first:
        print(f"{result['device']}, {result['precision']}; images/s, medians; goal: {GOAL}")
        print(f"{'backend':<12}{'family':<11}{'batch':>6}{'kgen':>10}{'by hand':>10}{'ratio':>8}")
    kgen, by_hand = (statistics.median(result[side]) for side in ("kgen", "handwritten"))
    mark = "" if result["ratio"] >= GOAL else "  below"
    print(
        f"{result['backend']:<12}{result['case']:<11}{result['batch_size']:>6}"
        f"{kgen:>10.0f}{by_hand:>10.0f}{result['ratio']:>8.2f}{mark}",
        flush=True,
    )


if __name__ == "__main__":
    main()
