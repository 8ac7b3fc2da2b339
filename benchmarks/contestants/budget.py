"""Arithmetic of a budget of processor time: how many steps it pays for.

Learning rates that decay, and weight averages that fit the run, must know the number of steps
before the first one. So a short trial run measures what a step costs on this machine.
"""

import time
from dataclasses import dataclass

TRIAL_SHARE = 0.05
"""Part of the budget that a trial lasts; it is not part of the budget."""
TRIAL_SECONDS = (6.0, 30.0)
"""A trial's least and greatest length: a step's cost settles within seconds."""
MARGIN = 0.02
"""Part of the budget that is left for what a trial does not see: the ends of epochs."""

LEFT = 0.1
"""Part of the budget that a run may leave, which is to its own harm only."""
OVERDRAWN = 0.05
"""Part of the budget that it may take beyond."""


def corrected(steps: int, spent: float, seconds: float) -> int | None:
    """Return how many steps would have met a budget that a run has missed, or None if it met it.

    A machine that other work disturbs is not as fast in a trial as later.

    Args:
        steps: of the run.
        spent: seconds of processor time that they took.
        seconds: the budget.
    """
    if -LEFT <= spent / seconds - 1.0 <= OVERDRAWN:
        return None
    return max(1, round(steps * seconds * (1.0 - MARGIN) / spent))


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """What training costs in seconds of processor time: ``start + steps * step``."""

    start: float
    step: float

    @classmethod
    def of(cls, marks: list[tuple[int, float]]) -> "Speed":
        """Read a trial.

        Args:
            marks: (steps done, seconds spent) of a trial in order, from its first step on. The
                first half has what happens once (compilation), the second the cost of a step.

        Raises:
            ValueError: the marks are of fewer than two moments.
        """
        (steps, seconds), (last_steps, last_seconds) = marks[len(marks) // 2], marks[-1]
        if last_steps <= steps:
            raise ValueError(f"A trial takes several steps. Received: marks={marks}.")
        step = (last_seconds - seconds) / (last_steps - steps)
        return cls(start=max(0.0, last_seconds - last_steps * step), step=step)

    def affordable(self, seconds: float) -> int:
        """Return how many steps a budget pays for, at least 1."""
        return max(1, int((seconds * (1.0 - MARGIN) - self.start) / self.step))


def trial_seconds(seconds: float) -> float:
    """Return how long a trial for a budget lasts, in seconds of processor time."""
    least, greatest = TRIAL_SECONDS
    return min(greatest, max(least, TRIAL_SHARE * seconds))


class Stopwatch:
    """Seconds of processor time, of all threads of this process, since it was made."""

    def __init__(self) -> None:
        self.begun = time.process_time()

    @property
    def spent(self) -> float:
        """Seconds so far."""
        return time.process_time() - self.begun
