"""Who answers a roll call, and with what."""

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from kgen.cluster.wire import StrangerError


@dataclass(frozen=True, kw_only=True, slots=True)
class Present:
    """A process that is there, and where a user finds it."""

    process: int
    """Its number, from 0."""
    hostname: str
    """What its machine calls itself."""
    pid: int
    """Its number in its system."""

    def __str__(self) -> str:
        return f"Process {self.process} ({self.hostname}, pid {self.pid})"

    @classmethod
    def here(cls, process: int) -> "Present":
        """Return this very process, by its number in the training."""
        return cls(process=process, hostname=socket.gethostname(), pid=os.getpid())

    def content(self) -> dict[str, Any]:
        """Return what `read` reads."""
        return asdict(self)

    @classmethod
    def read(cls, content: Any) -> "Present":
        """Return who is described in a message.

        Raises:
            StrangerError: nobody is.
        """
        match content:
            case {"process": int(process), "hostname": str(hostname), "pid": int(pid)}:
                return cls(process=process, hostname=hostname[:255], pid=pid)
        raise StrangerError(f"{str(content)[:60]!r}")


def first_difference(
    ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> tuple[str, str, str] | None:
    """Return where two sets of facts differ first, `a.b.c`, and both values as JSON; else None."""
    for key in sorted({*ours, *theirs}):
        a, b = ours.get(key, _NOTHING), theirs.get(key, _NOTHING)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            if inner := first_difference(a, b):
                return f"{key}.{inner[0]}", *inner[1:]
        elif (x := _as_text(a)) != (y := _as_text(b)):
            return key, x, y
    return None


_NOTHING = object()


def _as_text(value: Any) -> str:
    return "nothing" if value is _NOTHING else json.dumps(value, sort_keys=True)
