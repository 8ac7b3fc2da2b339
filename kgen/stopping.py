"""Stopping at the end of a step when the user or the system asks."""

import signal
import threading
from types import FrameType
from typing import Any, Self


class StopRequest:
    """While entered, Ctrl-C and SIGTERM set a flag in place of ending the process.

    A second Ctrl-C acts as usual. Outside the main thread, where Python cannot handle signals, the
    flag can still be set by :meth:`ask`.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def ask(self) -> None:
        """Ask for a stop at the end of the current step."""
        self.asked = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.ask()

    def __enter__(self) -> Self:
        """Take over the signals."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *error: object) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
