"""How long `kgen` takes to answer without working: ``python benchmarks/startup.py``.

Prints, for each command line, the median and the best wall time of a fresh process, and which
heavy modules it imported (there should be none). The aim is 0.3 s on an idle machine.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

REPEATS = 9
HEAVY = ("keras", "numpy", "PIL", "matplotlib", "jax", "tensorflow", "torch")
COMMANDS = (
    ["--version"],
    ["--help"],
    ["train", "--help"],
    ["train", "gan", "--help"],
    ["train", "ddpm", "--help"],
    ["sample", "--help"],
    ["runs", "--help"],
    ["doctor", "--help"],
)

_RUN = """
import json, sys
from kgen_cli.main import main
try:
    main()
finally:
    print(json.dumps([name for name in {heavy!r} if name in sys.modules]), file=sys.stderr)
"""


def main() -> None:
    """Time every command and print a table."""
    root = Path(__file__).parent.parent
    paths = [str(root), str(root / "cli"), str(root / "exports")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    bare = [_once(["-c", "pass"], environment)[0] for _ in range(REPEATS)]
    print(f"{'command':<28}{'median':>9}{'best':>9}  heavy modules")
    print(f"{'(python alone)':<28}{statistics.median(bare):>8.3f}s{min(bare):>8.3f}s")
    for command in COMMANDS:
        timings = []
        heavy = "[]"
        for _ in range(REPEATS):
            seconds, heavy = _once(["-c", _RUN.format(heavy=HEAVY), *command], environment)
            timings.append(seconds)
        names = ", ".join(json.loads(heavy.splitlines()[-1])) or "none"
        median, best = statistics.median(timings), min(timings)
        print(f"{'kgen ' + ' '.join(command):<28}{median:>8.3f}s{best:>8.3f}s  {names}")


def _once(arguments: list[str], environment: dict[str, str]) -> tuple[float, str]:
    """Run Python once; return the seconds and what it wrote to stderr."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    return time.perf_counter() - begun, done.stderr


if __name__ == "__main__":
    main()
