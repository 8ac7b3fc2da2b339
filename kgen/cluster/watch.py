"""Notices when one of several processes is lost, in a thread beside the training.

A training step waits for all processes. So where one is gone, the others would wait without a word,
some backends for ever: somebody else has to look.

Process 0 has a connection to every other process, the others have one to process 0, which tells
them whom it misses. Every `INTERVAL` each side sends a heartbeat. A process whose connection
closes without a goodbye is lost (its system closes it, whatever ends the process), which is noticed
at once, within a second on any network; a machine or a cable that vanishes closes nothing, and is
noticed by its silence within `LOST_SECONDS + INTERVAL`.
"""

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping

from kgen.cluster.wire import Line, StrangerError

INTERVAL = 2.0
"""Seconds between two heartbeats."""
LOST_SECONDS = 20.0
"""Silence that means that a process is lost.

The thread needs Python's interpreter lock to send. A busy thread of Python code hands it over after
5 ms, and what computes, compiles, waits or reads in C gives it up. Only a single C call that keeps
the lock stops the heartbeats: turning a huge Python object into an array or into bytes, say, which
takes seconds. 20 seconds are ten heartbeats, so a system that swaps, or is stopped for a while, is
not lost either.
"""


class _LostError(Exception):
    """A process is lost; the text is for the user."""


class Watch(threading.Thread):
    """Keeps in touch with other processes until they leave, this one leaves, or one is lost."""

    def __init__(
        self,
        names: Mapping[int, str],
        lines: Mapping[int, Line],
        on_lost: Callable[[str], None],
    ):
        """Watch the processes of `lines`; `names` says how to call each in a message."""
        super().__init__(name="kgen roll call", daemon=True)
        self.over = threading.Event()
        """Nobody is left to watch: all have left, or one is lost."""
        self._names = names
        self._lines = dict(lines)
        self._left: list[Line] = []
        self._on_lost = on_lost
        self._heard: dict[int, float] = {}
        self._leaving = False
        self._last_word = ("goodbye", "")
        # What interrupts the selector; a socket, since Windows can select nothing else.
        self._awake, self._alarm = socket.socketpair()

    def leave(self, failure: str = "") -> None:
        """Say goodbye to all who are still there, end, and close the connections.

        Args:
            failure: what went wrong here, which loses this process to the others.
        """
        if failure:
            self._last_word = ("failed", failure)
        self._leaving = True
        self._alarm.send(b"!")
        self.over.wait()  # not `join`: `on_lost` may be what leaves
        for connection in (self._awake, self._alarm, *self._lines.values(), *self._left):
            connection.close()

    def run(self) -> None:
        """Watch until there is nothing more to watch."""
        lost = None
        try:
            self._watch()
            say, message = self._last_word
            self._tell(say, message=message)
        except _LostError as error:
            lost = str(error)
            if 0 not in self._lines:  # then this is process 0, which tells the others
                self._tell("lost", message=lost)
        finally:
            self.over.set()
        if lost is not None:
            self._on_lost(lost)

    def _watch(self) -> None:
        """Hear and be heard until all is over in peace.

        Raises:
            _LostError: a process is lost.
        """
        now = time.monotonic()
        self._heard = dict.fromkeys(self._lines, now)
        next_beat = now
        with selectors.DefaultSelector() as selector:
            selector.register(self._awake, selectors.EVENT_READ)
            for process in list(self._lines):
                self._understand(process)  # what came in one piece with the end of the roll call
            for process, line in self._lines.items():
                selector.register(line, selectors.EVENT_READ, process)
            while self._lines and not self._leaving:
                now = time.monotonic()
                if now > next_beat + INTERVAL:
                    # This process was stopped itself (Ctrl-Z, a call that kept the lock), and
                    # maybe all were: what it did not hear meanwhile is held against nobody.
                    self._heard = dict.fromkeys(self._lines, now)
                self._miss_silent(now)
                if now >= next_beat:
                    self._tell("here")
                    next_beat = now + INTERVAL
                for key, _ in selector.select(max(0.0, next_beat - now)):
                    if key.data is not None:
                        self._hear(key.data)
                        if key.data not in self._lines:
                            selector.unregister(key.fileobj)

    def _hear(self, process: int) -> None:
        """Take in what a process has sent.

        Raises:
            _LostError: its connection is closed, without a goodbye.
        """
        try:
            self._lines[process].read()
            self._heard[process] = time.monotonic()
            self._understand(process)
        except (EOFError, ConnectionError):  # a killed process closes, or resets
            raise _LostError(f"{self._names[process]} is gone: its connection closed.") from None
        except OSError as error:
            raise _LostError(
                f"{self._names[process]} is gone: its connection broke ({error.strerror or error})."
            ) from error
        except StrangerError as error:
            raise _LostError(
                f"{self._names[process]} is gone: it sent what is no message ({error})."
            ) from error

    def _understand(self, process: int) -> None:
        for message in self._lines[process].messages():
            if message["say"] == "lost":
                raise _LostError(str(message.get("message")))
            if message["say"] == "failed":
                raise _LostError(f"{self._names[process]} failed: {message.get('message')}")
            if message["say"] == "goodbye":
                self._left.append(self._lines.pop(process))
                return

    def _miss_silent(self, now: float) -> None:
        """Raise `_LostError` where nothing has been heard of a process for too long."""
        for process in self._lines:
            if now - self._heard[process] > LOST_SECONDS:
                raise _LostError(
                    f"{self._names[process]} is gone: nothing was heard of it for "
                    f"{LOST_SECONDS:g} s."
                )

    def _tell(self, say: str, **content: str) -> None:
        for line in self._lines.values():
            with contextlib.suppress(OSError):  # gone: `_hear` will meet the same
                line.send(say, **content)
