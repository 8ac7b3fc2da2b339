"""What a user sees while waiting: live lines on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from kgen.report import Plan, Reporter
from kgen_cli.text import duration, metric_text, plan_lines

PLAIN_SECONDS = 10.0
"""Least time between two plain lines inside an epoch."""

_NOT_METRICS = ("epoch", "step", "seconds", "images_per_second")


def reporter(output: TextIO | None = None) -> "LiveReporter | PlainReporter":
    """Choose how to report, by whether the output is a terminal. Enter it around the work."""
    stream = sys.stdout if output is None else output
    return LiveReporter(Console(file=stream)) if stream.isatty() else PlainReporter(stream)


class PlainReporter(Reporter):
    """Whole lines: one per epoch, and one every few seconds in a long epoch."""

    def __init__(self, output: TextIO, clock: Callable[[], float] = time.monotonic):
        self._output, self._clock = output, clock
        self._plan: Plan | None = None
        self._begun: float | None = None
        self._first_step = 0
        self._last_line = clock()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *error: object) -> None:
        """End."""

    def started(self, plan: Plan, step: int) -> None:
        """Print what is going to happen."""
        self._plan, self._first_step = plan, step
        for line in plan_lines(plan):
            self._print(line)
        if step:
            self._print(f"resuming: step {step} of {plan.total_steps}")

    def stepped(
        self, step: int, epoch: int, metrics: dict[str, float], images_per_second: float
    ) -> None:
        """Print where training is, if nothing was printed for a while."""
        if self._begun is None:  # after the first step: compilation is not in the estimate
            self._begun, self._first_step = self._clock(), step
        if self._clock() - self._last_line >= PLAIN_SECONDS:
            self._line(step, epoch, metrics, images_per_second)

    def epoch_ended(self, row: dict[str, float]) -> None:
        """Print the epoch's row."""
        rate = row.get("images_per_second", 0.0)
        self._line(int(row["step"]), int(row["epoch"]), _shown(row), rate)

    def wrote(self, path: Path) -> None:
        """Print the file."""
        self._print(f"wrote {path}")

    def message(self, text: str) -> None:
        """Print the message."""
        self._print(text)

    def data_progress(self, done: int, total: int) -> None:
        """Print how many pictures are read, if nothing was printed for a while."""
        if self._clock() - self._last_line >= PLAIN_SECONDS:
            self._print(f"reading pictures: {done} of {total}")

    def _line(
        self, step: int, epoch: int, metrics: dict[str, float], images_per_second: float
    ) -> None:
        """Print one line of progress."""
        total = self._plan.total_steps if self._plan else step
        epochs = self._plan.epochs if self._plan else epoch
        parts = [f"epoch {epoch}/{epochs}", f"step {step}/{total}", metric_text(metrics)]
        if images_per_second:  # not before the second step
            parts.append(f"{images_per_second:.0f} images/s")
        if self._begun is not None and self._first_step < step < total:
            pace = (self._clock() - self._begun) / (step - self._first_step)
            parts.append(f"{duration(pace * (total - step))} left")
        self._print("  ".join(part for part in parts if part))

    def _print(self, line: str) -> None:
        print(line, file=self._output, flush=True)
        self._last_line = self._clock()


class LiveReporter(Reporter):
    """A bar, the last losses and the last picture, drawn over and over in place."""

    def __init__(self, console: Console):
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.completed}/{task.total}"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=console,
            expand=True,
        )
        self._metrics, self._picture = Text(), Text(style="dim", overflow="fold")
        self._live = Live(Group(self._bar, self._metrics, self._picture), console=console)
        self._task = self._bar.add_task("preparing", total=None, rate="")
        self._epochs = 1

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.start()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last state on the terminal, or after an error nothing."""
        self._live.transient = error is not None
        self._live.stop()

    def started(self, plan: Plan, step: int) -> None:
        """Print what is going to happen, and begin the bar."""
        for line in plan_lines(plan):
            self._console.print(line, style="dim", highlight=False, markup=False)
        self._epochs = plan.epochs
        self._bar.reset(
            self._task, total=plan.total_steps, completed=step, description="compiling", rate=""
        )

    def stepped(
        self, step: int, epoch: int, metrics: dict[str, float], images_per_second: float
    ) -> None:
        """Move the bar."""
        self._bar.update(
            self._task,
            completed=step,
            description=f"epoch {epoch}/{self._epochs}",
            rate=f"{images_per_second:.0f} images/s",
        )
        self._metrics.plain = metric_text(metrics)

    def epoch_ended(self, row: dict[str, float]) -> None:
        """Show the epoch's row."""
        rate = row.get("images_per_second", 0.0)
        self.stepped(int(row["step"]), int(row["epoch"]), _shown(row), rate)

    def wrote(self, path: Path) -> None:
        """Show the last file."""
        self._picture.plain = str(path)

    def message(self, text: str) -> None:
        """Print the message above the bar."""
        self._console.print(text, style="yellow", highlight=False, markup=False)

    def data_progress(self, done: int, total: int) -> None:
        """Show how many pictures are read."""
        self._bar.update(
            self._task, total=total, completed=done, description="reading pictures", rate=""
        )


def _shown(row: dict[str, float]) -> dict[str, float]:
    """Keep the metrics of an epoch that fit on a line; history.csv has them all."""
    return {
        key: value
        for key, value in row.items()
        if key not in _NOT_METRICS and (key == "val_loss" or not key.startswith("val_"))
    }


def _bar() -> Progress:
    """Make a bar on stderr that leaves nothing behind: stdout stays free for the result."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True, expand=True)


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function of (done, total) that shows progress on stderr, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    with _bar() as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def phases() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function of (what, done, total) that shows how far each part of a long work is.

    On a terminal it is one bar, whose name changes; elsewhere a line as each part begins. Both on
    stderr.
    """
    current = [""]

    def begins(what: str) -> bool:
        new, current[0] = what != current[0], what
        return new

    if not sys.stderr.isatty():

        def tell(what: str, done: int, total: int) -> None:
            if begins(what):
                print(what, file=sys.stderr, flush=True)

        yield tell
        return
    with _bar() as bar:
        task = bar.add_task("starting", total=None)

        def show(what: str, done: int, total: int) -> None:
            if begins(what):
                bar.reset(task, description=what, total=total)
            bar.update(task, completed=done, total=total)

        yield show


@contextmanager
def telling() -> Iterator[Callable[[str], None]]:
    """Yield a function of a line that shows what is being done.

    On a terminal the line replaces the one before; elsewhere every line is printed. Both on
    stderr: stdout stays free for the command's result.
    """
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda line: print(line, file=sys.stderr, flush=True)
        return
    with console.status("starting") as status:
        yield lambda line: status.update(Text(line))
