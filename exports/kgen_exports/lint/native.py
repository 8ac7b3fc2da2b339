"""Ask the libraries for ONNX about a file, in a process that may die of it."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from kgen_exports.lint.report import Verdict

SECONDS = 300
_PROGRAM = Path(__file__).with_name("probe.py")

# ONNX Runtime alone reserves 1.5 GB of addresses; each step holds another copy of the model.
_MEMORY = 4 * 2**30
_COPIES = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the libraries say of a file.

    Attributes:
        values: name -> number of the type, and sizes (None: unknown).
        verdicts: accelerator -> verdict.
        checker: what `onnx.checker` objects to.
        runtime: why ONNX Runtime does not load it.
        failure: how the process ended, where it did not end well; then there is nothing else.
    """

    values: dict[str, tuple[int, tuple[int | str | None, ...] | None]] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    checker: str | None = None
    runtime: str | None = None
    failure: str | None = None


def ask(path: Path) -> Answer:
    """Examine an ONNX file that refers to no other file."""
    memory = _MEMORY + _COPIES * path.stat().st_size
    command = [sys.executable, "-P", str(_PROGRAM), str(path), str(memory)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return Answer(failure=f"did not end within {SECONDS} s")
    try:
        found = json.loads(done.stdout)
    except ValueError:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        reason = f": {said[-1]}" if said else ""
        return Answer(failure=f"ended with status {done.returncode}{reason}")
    return Answer(
        values={
            name: (kind, None if sizes is None else tuple(sizes))
            for name, (kind, sizes) in found["values"].items()
        },
        verdicts={
            name: Verdict(**{**facts, "unsupported": tuple(facts["unsupported"])})
            for name, facts in found["verdicts"].items()
        },
        checker=found["checker"],
        runtime=found["runtime"],
    )
