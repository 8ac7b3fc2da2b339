"""The part of all processes but 0 in a roll call: find process 0, and say who we are."""

import socket
import time
from collections.abc import Mapping
from typing import Any

from kgen.cluster.member import Member
from kgen.cluster.present import Present
from kgen.cluster.watch import LOST_SECONDS
from kgen.cluster.wire import SEND_SECONDS, Line, StrangerError
from kgen.errors import KgenError

RETRY_SECONDS = 0.5
"""Pause between two attempts to reach process 0, which may start later."""
CONNECT_SECONDS = 5.0
"""How long one attempt may take: a machine that is not up yet answers nothing, not even no."""


class _NoAnswerError(Exception):
    """This attempt failed, the next may not; the text says why."""


def answer(
    member: Member, facts: Mapping[str, Any], timeout: float
) -> tuple[str, list[Present], Line]:
    """Find process 0 within `timeout` seconds, and wait with it until all are there.

    How long that takes, process 0 decides.

    Returns:
        The backend's address, who is there, and the connection.

    Raises:
        KgenError: process 0 is not found, something else is, or process 0 refuses.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            line = Line(_connect(member, deadline))
            try:
                service, members = _introduce(line, member, facts, deadline)
            except BaseException:
                line.close()
                raise
            line.socket.settimeout(SEND_SECONDS)
            return service, members, line
        except socket.gaierror as error:  # Kubernetes knows a pod's name some time after its start
            reason = (
                f"The name {member.host} is not known on this machine, tried for {timeout:g} s "
                f"({error.strerror}). Expected --coordinator with process 0's machine."
            )
        except (OSError, EOFError, _NoAnswerError) as error:
            why = getattr(error, "strerror", None) or str(error) or "it closed the connection"
            reason = (
                f"No answer from {member.coordinator} within {timeout:g} s ({why}); is process 0 "
                "running there, and may this machine reach it?"
            )
        except StrangerError as error:
            raise KgenError(
                f"What answers at {member.coordinator} is not process 0 of this kgen: expected a "
                f"message of its roll call, received {error}. Choose a port that nothing else "
                "uses, and the same kgen everywhere."
            ) from error
        if time.monotonic() + RETRY_SECONDS >= deadline:
            raise KgenError(reason)
        time.sleep(RETRY_SECONDS)


def _connect(member: Member, deadline: float) -> socket.socket:
    """Try once to connect.

    Raises:
        OSError: nobody is there, or the name is not known.
        _NoAnswerError: we met ourselves.
    """
    patience = min(CONNECT_SECONDS, max(0.1, deadline - time.monotonic()))
    connection = socket.create_connection((member.host, member.port), timeout=patience)
    if connection.getsockname() == connection.getpeername():
        # Where nobody listens on this very machine, TCP may choose the port that we call as the one
        # that we call from, and connects us with ourselves.
        connection.close()
        raise _NoAnswerError("nothing listens there")
    return connection


def _introduce(
    line: Line, member: Member, facts: Mapping[str, Any], deadline: float
) -> tuple[str, list[Present]]:
    """Say who we are, and wait until process 0 has all together.

    Raises:
        OSError, EOFError, _NoAnswerError: no word came, so it may be tried again.
        StrangerError: what came is not from process 0.
        KgenError: process 0 refuses, or is gone.
    """
    who = Present.here(member.process).content()
    line.send("hello", **who, num_processes=member.num_processes, facts=facts)
    heard = False
    while True:
        for message in line.messages():
            heard = True
            if message["say"] == "refuse":
                raise KgenError(str(message.get("message")))
            if message["say"] == "welcome":
                members = [Present.read(each) for each in message.get("members", ())]
                return str(message.get("service")), members
        # From its first word on, process 0 says every few seconds that it waits.
        patience = LOST_SECONDS if heard else max(0.1, deadline - time.monotonic())
        line.socket.settimeout(patience)
        try:
            line.read()
        except (OSError, EOFError) as error:
            silent = isinstance(error, TimeoutError)
            why = "it is silent" if silent else "its connection closed"
            if not heard:
                raise _NoAnswerError(why) from error
            raise KgenError(
                f"Process 0 at {member.coordinator} is gone: {why} before all were there."
            ) from error
