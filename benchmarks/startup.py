"""How long `kgen` takes to answer without working: ``python benchmarks/startup.py``.

Prints, for each command line, the median and the best wall time of a fresh process, the least
processor time (which other programs disturb less), and which heavy modules it imported: there
should be none. The aim is 0.3 s on an idle machine.
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
    print(f"{'command':<28}{'median':>9}{'best':>9}{'CPU':>9}  heavy modules")
    _row("(python alone)", ["-c", "import sys; print([], file=sys.stderr)"], environment)
    for command in COMMANDS:
        code = _RUN.format(heavy=HEAVY)
        _row("kgen " + " ".join(command), ["-c", code, *command], environment)


def _row(name: str, arguments: list[str], environment: dict[str, str]) -> None:
    """Run Python with these arguments again and again, and print one line of the table."""
    runs = [_once(arguments, environment) for _ in range(REPEATS)]
    walls, processors = [run[0] for run in runs], [run[1] for run in runs]
    names = ", ".join(json.loads(runs[-1][2].splitlines()[-1])) or "none"
    print(
        f"{name:<28}{statistics.median(walls):>8.3f}s{min(walls):>8.3f}s{min(processors):>8.3f}s"
        f"  {names}"
    )


def _once(arguments: list[str], environment: dict[str, str]) -> tuple[float, float, str]:
    """Run Python once; return wall seconds, processor seconds, and what it wrote to stderr."""
    begun, before = time.perf_counter(), os.times()
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    wall, after = time.perf_counter() - begun, os.times()
    processor = (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )
    return wall, processor, done.stderr


if __name__ == "__main__":
    main()
