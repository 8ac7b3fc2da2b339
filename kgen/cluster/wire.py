"""What processes say to each other over TCP: JSON objects, one a line, never code.

Anything may connect to an open port, or answer at one. So a line is bounded, it is read as JSON
and nothing else, and every object carries the mark of this protocol; the rest is a
`StrangerError`.
"""

import json
import socket
from collections.abc import Iterator
from typing import Any

VERSION = 1
"""Raise it when a message changes; processes of different versions do not train together."""
MARK = "kgen roll call"

MAX_BYTES = 2**20
"""Longest line: a configuration has a few kB, the list of 1000 members 100."""
SEND_SECONDS = 5.0
"""How long a send may wait for room in the system's buffer, which heartbeats never fill."""


class StrangerError(Exception):
    """What came is no message of this protocol; the text says what came instead."""


class Line:
    """One connection, on which each side sends messages of the form `{"say": ..., ...}`."""

    def __init__(self, connection: socket.socket):
        connection.settimeout(SEND_SECONDS)
        # Heartbeats are small and must not wait for each other.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connection
        self._received = bytearray()

    def fileno(self) -> int:
        """Return what a selector waits for."""
        return self.socket.fileno()

    def send(self, say: str, **content: Any) -> None:
        """Send one message.

        Raises:
            OSError: the connection is gone, or takes no more.
            ValueError: the message is longer than `MAX_BYTES`.
        """
        line = json.dumps({MARK: VERSION, "say": say, **content}).encode() + b"\n"
        if len(line) > MAX_BYTES:
            raise ValueError(f"Expected a message of at most {MAX_BYTES} bytes, not {len(line)}.")
        self.socket.sendall(line)

    def read(self) -> None:
        """Take in what has come; call it when something has.

        Raises:
            EOFError: the other side has closed.
            OSError: the connection broke.
        """
        data = self.socket.recv(2**16)
        if not data:
            raise EOFError
        self._received += data

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield the whole messages among what has come, each once.

        Raises:
            StrangerError: what came is none, or has no end.
        """
        while (end := self._received.find(b"\n")) >= 0:
            line = bytes(self._received[:end])
            del self._received[: end + 1]
            yield _message(line)
        if len(self._received) > MAX_BYTES:
            raise StrangerError(_quoted(self._received))

    def close(self) -> None:
        """Close the connection; what was sent still arrives."""
        self.socket.close()


def _message(line: bytes) -> dict[str, Any]:
    """Return the message of a line.

    Raises:
        StrangerError: it is none, or one of another version.
    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):  # a thousand brackets, too, come from no process of ours
        raise StrangerError(_quoted(line)) from None
    if not isinstance(message, dict) or MARK not in message:
        raise StrangerError(_quoted(line))
    if message[MARK] != VERSION or not isinstance(message.get("say"), str):
        raise StrangerError(f"version {message[MARK]!r:.40} of the protocol, not {VERSION}")
    return message


def _quoted(data: bytes | bytearray) -> str:
    return repr(bytes(data[:60]).decode("utf-8", "replace"))
