"""How fast kgen trains, beside a hand-written loop: ``python benchmarks/train.py``.

For each family and backend, images per second of kgen's training and of a loop written in the
backend's own API on the same networks (benchmarks/handwritten), measured in turn, A B A B, in one
process per backend; and how far that is from the device's fastest matrix product. It runs unchanged
on a CPU and on a GPU. What each side includes is said in benchmarks/README.md.
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
HEAD = (
    "backend", "family", "device", "precision", "batch", "kgen", "by hand", "ratio", "plain",
    "GFLOP/s", "ceiling", "%", "MiB", "",
)  # fmt: skip
COLUMNS = "{:<11}{:<10}{:<7}{:<10}{:>6}{:>9}{:>9}{:>7}{:>9}{:>10}{:>9}{:>6}{:>7}  {}"
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
                name = results[-1]["device_name"]
                print_row(results[-1], head=name not in [r["device_name"] for r in results[:-1]])
    if options.json:
        print(json.dumps(results, indent=2))
        return
    for line in against_plain(results):
        print(line)


def against_plain(results: list[dict[str, Any]]) -> list[str]:
    """Say how fast the fastest backend of each family is, by plain PyTorch on the same device."""
    lines = []
    for plain in (result for result in results if result["plain"]):
        same = [r for r in results if (r["case"], r["device"]) == (plain["case"], plain["device"])]
        best = max(same, key=lambda r: statistics.median(r["kgen"]))
        ratio = statistics.median(best["kgen"]) / statistics.median(plain["plain"])
        lines.append(f"{plain['case']}: kgen on {best['backend']} by plain PyTorch: {ratio:.2f}")
    return lines


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
    parser.add_argument("--no-ceiling", action="store_true", help="leave out the matrix product")
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
    from benchmarks import ceiling
    from benchmarks.case import measure

    clock = CLOCKS[options.clock]

    with tempfile.TemporaryDirectory(prefix="kgen-benchmark-") as folder:
        found = measure(
            options.families[0],
            Path(folder),
            rounds=options.rounds,
            steps=options.steps,
            batch_size=options.batch_size,
            clock=clock,
        )
    highest = None if options.no_ceiling else ceiling.matrix_product(clock)
    result = {**asdict(found), "ratio": found.ratio, "flops_per_second": found.flops_per_second}
    result |= {"ceiling": highest, "device": info.device, "device_name": info.device_name}
    print(json.dumps(result | {"precision": info.precision}))


def print_row(result: dict[str, Any], *, head: bool) -> None:
    """Print one line of the table; above a device's first, what it is and the columns' names."""
    if head:
        print(f"{result['device']}: {result['device_name']}; images/s, medians; goal: {GOAL}")
        print(COLUMNS.format(*HEAD))
    kgen, by_hand = (statistics.median(result[side]) for side in ("kgen", "handwritten"))
    highest, peak = result["ceiling"], result["peak_bytes"]
    cells = (
        result["backend"], result["case"], result["device"], result["precision"],
        result["batch_size"], f"{kgen:.0f}", f"{by_hand:.0f}", f"{result['ratio']:.2f}",
        f"{statistics.median(result['plain']):.0f}" if result["plain"] else "-",
        f"{result['flops_per_second'] / 1e9:.1f}", f"{highest / 1e9:.0f}" if highest else "-",
        f"{100 * result['flops_per_second'] / highest:.1f}" if highest else "-",
        "-" if peak is None else f"{peak / 2**20:.0f}",
        "" if result["ratio"] >= GOAL else "below",
    )  # fmt: skip
    print(COLUMNS.format(*cells).rstrip(), flush=True)


if __name__ == "__main__":
    main()
