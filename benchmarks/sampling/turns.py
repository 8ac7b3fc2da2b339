"""Contestants in processes of their own, which take turns: A B C, A B C.

The process of a contestant loads and warms up, says that it is ready, and draws once for every line
on its standard input; while it waits it uses no processor.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.sampling import CONTESTANTS, REFERENCE, Task

ROOT = Path(__file__).resolve().parents[2]
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


@dataclass(kw_only=True)
class Row:
    """What came of one contestant.

    Attributes:
        name: the contestant's.
        pictures: in a call.
        parameters, flops: as in `Drawing`.
        problem: why it does not work; None if it does.
        rounds: seconds of the fastest call of each round.
        ratio: how many times as fast as diffusers, the median over the rounds; None without it.
        levels: largest difference in grey levels of a picture from what kgen's first contestant
            draws, so that none is fast by drawing something else; None of diffusers.
        drawn: the numbers of the first picture.
    """

    name: str
    pictures: int
    parameters: int | None = None
    flops: int | None = None
    problem: str | None = None
    rounds: list[float] = field(default_factory=list)
    ratio: float | None = None
    levels: int | None = None
    drawn: list[int] = field(default_factory=list, repr=False)

    @property
    def ms(self) -> float:
        """Milliseconds for a picture, the median over the rounds."""
        return 1000 * statistics.median(self.rounds) / self.pictures


class Turn:
    """A contestant's process, from the side of the one that asks.

    Args:
        command: starts it; it answers by lines of JSON.
    """

    def __init__(self, command: Sequence[str]):
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 (see close)
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "TF_CPP_MIN_LOG_LEVEL": "3"},
        )  # fmt: skip

    def ask(self) -> Any:
        """Have it draw, and return what it answers.

        Raises:
            RuntimeError: it has ended; the message is its last line.
        """
        if self._process.stdin is None:
            raise RuntimeError("The process has no input.")
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # It has ended: the log says why.
        return self.answer()

    def answer(self) -> Any:
        """Read a line of JSON; raises as :meth:`ask` does."""
        line = self._process.stdout.readline() if self._process.stdout else ""
        if line:
            return json.loads(line)
        status = self._process.wait()
        self._log.seek(0)
        said = [text.strip() for text in self._log if text.strip()]
        raise RuntimeError(said[-1] if said else f"It ended with status {status}.")

    def close(self) -> None:
        """End the process, and take its log away."""
        self._process.kill()
        self._process.communicate()
        self._log.close()


def serve(name: str, task: Task, clock: Callable[[], float], repeats: int) -> None:
    """Be a contestant's process: load, warm up, and draw for every line of standard input."""
    # What libraries print must not be taken for an answer.
    answers, sys.stdout = sys.stdout, sys.stderr

    def say(value: Any) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    found = CONTESTANTS[name].open(task)
    pictures = found.draw()  # compiles
    if len(pictures) != task.pictures or pictures.dtype != np.uint8:
        raise RuntimeError(f"{name} drew {pictures.dtype} {pictures.shape}.")
    drawn = pictures[0].ravel().tolist()
    say({"parameters": found.parameters, "flops": found.flops, "drawn": drawn})
    for _ in sys.stdin:
        times = []
        for _ in range(repeats):
            begun = clock()
            found.draw()
            times.append(clock() - begun)
        # The fastest of a round: what other programs disturb the least.
        say(min(times))


def measure(rows: list[Row], start: Callable[[str], Turn], rounds: int) -> None:
    """Let all that work take their turns, `rounds` times, and compare them with the reference."""
    turns: dict[str, Turn] = {}
    try:
        for row in rows:
            row.problem = CONTESTANTS[row.name].missing()
            if row.problem is None:
                turns[row.name] = start(row.name)
                # One after the other: what starts together compiles against each other.
                _try(row, lambda row=row: vars(row).update(turns[row.name].answer()))
        for _ in range(rounds):
            for row in rows:
                if row.problem is None:
                    _try(row, lambda row=row: row.rounds.append(turns[row.name].ask()))
    finally:
        for turn in turns.values():
            turn.close()
    compare(rows)


def _try(row: Row, action: Callable[[], None]) -> None:
    try:
        action()
    except RuntimeError as error:
        row.problem = str(error)


def compare(rows: list[Row]) -> None:
    """Set what follows from others: ratios, differences, and what one of kgen's has counted."""
    reference = next((r for r in rows if r.name == REFERENCE and r.problem is None), None)
    for row in rows:
        if reference is not None and row.problem is None:
            pairs = zip(reference.rounds, row.rounds, strict=True)
            row.ratio = statistics.median(other / mine for other, mine in pairs)
    kgen = [row for row in rows if row.name != REFERENCE and row.problem is None]
    for row in kgen:
        row.levels = max(abs(a - b) for a, b in zip(row.drawn, kgen[0].drawn, strict=True))
    for fact in ("parameters", "flops"):
        known = next((v for row in kgen if (v := getattr(row, fact)) is not None), None)
        for row in kgen:
            setattr(row, fact, known)
