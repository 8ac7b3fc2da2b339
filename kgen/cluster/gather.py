"""Process 0's part of a roll call: listen until all the others have answered."""

import contextlib
import errno
import ipaddress
import json
import selectors
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from kgen.cluster.member import Member
from kgen.cluster.present import Present, first_difference
from kgen.cluster.watch import INTERVAL
from kgen.cluster.wire import Line, StrangerError
from kgen.errors import KgenError

HELLO_SECONDS = 10.0
"""How long something that has connected may take to say who it is."""
LATE_SECONDS = 10.0
"""How long process 0 stays where the processes turn out to differ, to tell those who come later."""


def gather(
    member: Member,
    facts: Mapping[str, Any],
    timeout: float,
    on_waiting: Callable[[list[int]], None] | None,
) -> tuple[str, list[Present], dict[int, Line]]:
    """Wait for all processes; return the backend's address, who is there, and the connections.

    Whatever else connects is ignored.

    Raises:
        KgenError: the port is taken, a process is missing, or the processes contradict each other.
    """
    with _listen(member.host, member.port) as listener:
        roll = _Roll(member, facts, listener)
        try:
            roll.wait(timeout, on_waiting)
        except BaseException as error:  # Ctrl-C as well: the others are not left waiting
            stopped = f"{roll.present[0]} was stopped before all processes were there."
            roll.refuse(str(error) if isinstance(error, KgenError) else stopped)
            raise
        finally:
            roll.end()
    # The port is free now; whether it still is when the backend binds it, a moment later, nobody
    # can promise. It cannot be held for it: two sockets do not listen on one port.
    with _listen(member.host, 0) as free:
        port = free.getsockname()[1]
    host = f"[{member.host}]" if ":" in member.host else member.host
    members = [roll.present[process] for process in sorted(roll.present)]
    welcome = {"service": f"{host}:{port}", "members": [each.content() for each in members]}
    for line in roll.lines.values():
        with contextlib.suppress(OSError):  # gone this very moment: the watch will say so
            line.send("welcome", **welcome)
    return welcome["service"], members, roll.lines


class _Roll:
    """Who is there so far."""

    def __init__(self, member: Member, facts: Mapping[str, Any], listener: socket.socket):
        self.present = {0: Present.here(0)}
        self.lines: dict[int, Line] = {}
        self._unknown: dict[Line, float] = {}  # until when each must have said who it is
        self._num_processes = member.num_processes
        self._facts = json.loads(json.dumps(facts))  # as the others' facts arrive
        self._conflict: str | None = None
        self._refused = 0
        self._deadline = 0.0
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)

    def missing(self) -> list[int]:
        """Return the processes that have not answered yet."""
        return [p for p in range(self._num_processes) if p not in self.present]

    def wait(self, timeout: float, on_waiting: Callable[[list[int]], None] | None) -> None:
        """Wait until nobody is missing.

        Raises:
            KgenError: somebody still is after `timeout` seconds, or the processes differ.
        """
        now = time.monotonic()
        self._deadline, next_word = now + timeout, now + INTERVAL
        while self.missing() and self._refused < self._num_processes - 1:
            now = time.monotonic()
            if now >= self._deadline:
                break
            if now >= next_word:
                next_word = now + INTERVAL
                self._reassure(now)
                if on_waiting and not self._conflict:
                    on_waiting(self.missing())
            pause = min(self._deadline, next_word) - now
            for key, _ in self._selector.select(max(0.0, pause)):
                if key.data is None:
                    self._accept()
                else:
                    self._hear(key.data)
        if self._conflict:
            raise KgenError(self._conflict)
        if missing := self.missing():
            who = "process " if len(missing) == 1 else "processes "
            who += ", ".join(map(str, missing))
            raise KgenError(
                f"Expected {self._num_processes} processes within {timeout:g} s, but of "
                f"{who} nothing was heard; do they run, and may they reach this machine's port "
                f"{self._listener.getsockname()[1]}?"
            )

    def refuse(self, why: str) -> None:
        """Tell all who are there that the training does not take place."""
        for process in list(self.lines):
            self._refuse(self.lines[process], why)
            self._forget(process)

    def end(self) -> None:
        """Leave the connections of those who are there, and close what is not theirs."""
        self._selector.close()
        for line in self._unknown:
            line.close()

    def _reassure(self, now: float) -> None:
        """Show the others that this process waits with them; give up what does not say a word."""
        for line in self.lines.values():
            with contextlib.suppress(OSError):  # gone: the selector will say so
                line.send("waiting")
        for line in [line for line, until in self._unknown.items() if now > until]:
            self._drop(line)

    def _accept(self) -> None:
        try:
            line = Line(self._listener.accept()[0])
        except OSError:  # gone before it was let in
            return
        self._unknown[line] = time.monotonic() + HELLO_SECONDS
        self._selector.register(line, selectors.EVENT_READ, line)
        try:
            line.send("waiting")
        except OSError:
            self._drop(line)

    def _hear(self, line: Line) -> None:
        try:
            line.read()
            for message in line.messages():
                if message["say"] == "hello" and line in self._unknown:
                    self._introduce(line, message)
        except (EOFError, OSError, StrangerError):
            self._drop(line)

    def _introduce(self, line: Line, hello: Mapping[str, Any]) -> None:
        """Enter a process, or refuse it and with it everybody.

        Raises:
            StrangerError: it does not say who it is.
        """
        who, number, facts = Present.read(hello), hello.get("num_processes"), hello.get("facts")
        if not isinstance(number, int) or not isinstance(facts, dict):
            raise StrangerError("a hello without its facts")
        conflict = self._conflict or self._conflict_with(who, number, facts)
        if conflict is None:
            del self._unknown[line]
            self.present[who.process] = who
            self.lines[who.process] = line
            return
        if self._conflict is None:
            self._conflict = conflict
            self._deadline = min(self._deadline, time.monotonic() + LATE_SECONDS)
            self.refuse(conflict)
        self._refuse(line, conflict)
        self._drop(line)

    def _conflict_with(self, who: Present, number: int, facts: Mapping[str, Any]) -> str | None:
        """Return what forbids that a process trains with those who are there, if anything does."""
        if number != self._num_processes:
            return (
                f"Expected the same --num-processes everywhere, but {self.present[0]} has "
                f"{self._num_processes} and {who} has {number}."
            )
        if not 0 <= who.process < number:
            raise StrangerError(f"process {who.process} of {number}")
        if who.process in self.present:
            return (
                f"Expected another --process-id for each process, but {self.present[who.process]} "
                f"and {who} have the same."
            )
        difference = first_difference(self._facts, facts)
        if difference is None:
            return None
        key, ours, theirs = difference
        return (
            f"Expected the same in all processes, but {key} is {ours:.200} in {self.present[0]} "
            f"and {theirs:.200} in {who}. Start all with the same kgen, options and data."
        )

    def _refuse(self, line: Line, why: str) -> None:
        self._refused += 1
        with contextlib.suppress(OSError):
            line.send("refuse", message=why)

    def _drop(self, line: Line) -> None:
        """Close a connection, if it still is one; a process whose it was is missing again."""
        if self._unknown.pop(line, None) is not None:
            self._selector.unregister(line)
            line.close()
        for process in [p for p, its in self.lines.items() if its is line]:
            self._forget(process)

    def _forget(self, process: int) -> None:
        line = self.lines.pop(process)
        del self.present[process]
        self._selector.unregister(line)
        line.close()


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens at a port of this machine, which the others call `host`.

    On all its interfaces, or for `localhost` and the like on that only. A name may mean IPv4 to
    some machines and IPv6 to others, so then it listens to both where the system can.

    Raises:
        KgenError: the port is taken, or not allowed.
    """
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = None
    bound = str(address) if address and address.is_loopback else ""
    both = address is None and socket.has_dualstack_ipv6()
    version_6 = both or (address is not None and address.version == 6)
    family = socket.AF_INET6 if version_6 else socket.AF_INET
    try:
        try:
            server = socket.create_server((bound, port), family=family, dualstack_ipv6=both)
        except OSError as error:
            if not both or error.errno != errno.EADDRNOTAVAIL:
                raise
            server = socket.create_server((bound, port))  # IPv6 is there, but switched off
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise KgenError(
                f"Port {port} of this machine is taken, which the other processes were to find "
                "this one at. Does an earlier training still run here? End it, or choose "
                "another port for all processes: --coordinator HOST:PORT."
            ) from error
        raise KgenError(
            f"Cannot listen at port {port} ({error.strerror}). Choose another for all processes, "
            "from 1024 on: --coordinator HOST:PORT."
        ) from error
    server.setblocking(False)  # what connected may be gone when it is its turn
    return server
