"""How far a long drawing is: pictures done, how many a second, and the time left."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from kgen_cli.progress import PLAIN_SECONDS
from kgen_cli.text import duration


class Pace:
    """Says where a drawing is, in words.

    Args:
        clock: seconds since some moment.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._kept: int | None = None
        self._begun: tuple[float, int] | None = None

    def words(self, done: int, total: int) -> str:
        """Write a line; the first call says what was there before, the next is after compiling."""
        text = f"{done:,} of {total:,} pictures"
        if self._kept is None:
            self._kept = done
        elif self._begun is None and done > self._kept:
            self._begun = self._clock(), done
        elif self._begun is not None and done > self._begun[1]:
            rate = (done - self._begun[1]) / max(self._clock() - self._begun[0], 1e-9)
            text += f"  {rate:.3g}/s" if rate < 100 else f"  {rate:,.0f}/s"
            text += f"  {duration((total - done) / rate)} left" if done < total else ""
        return text


@contextmanager
def pacing(clock: Callable[[], float] = time.monotonic) -> Iterator[Callable[[int, int], None]]:
    """Yield a function of (pictures done, pictures in all) that shows the pace on stderr.

    On a terminal it is one bar; elsewhere a line every few seconds, and a last one.
    """
    pace = Pace(clock)
    if sys.stderr.isatty():
        columns = TextColumn("{task.description}"), BarColumn(bar_width=None)
        console = Console(stderr=True)
        with Progress(*columns, console=console, transient=True, expand=True) as shown:
            task = shown.add_task("drawing", total=None)
            yield lambda done, total: shown.update(
                task, completed=done, total=total, description=pace.words(done, total)
            )
        return
    last = clock()

    def tell(done: int, total: int) -> None:
        nonlocal last
        words = pace.words(done, total)
        if done == total or clock() - last >= PLAIN_SECONDS:
            print(words, file=sys.stderr, flush=True)
            last = clock()

    yield tell
