"""Gets the processes of a training together, and keeps them in touch."""

from collections.abc import Callable, Mapping
from typing import Any

from kgen.cluster import answer, gather
from kgen.cluster.member import Member
from kgen.cluster.present import Present
from kgen.cluster.watch import Watch
from kgen.cluster.wire import Line

CLOSE_SECONDS = 60.0
"""How long process 0 waits for the others at the end. All end with the same step; the slowest may
still be at what follows it."""


class RollCall:
    """Keeps the processes of a training in touch over TCP, beside whatever the backend does.

    It is plain TCP without encryption or password, as the backends' own services are: for a network
    whose machines trust each other.
    """

    service: str
    """`host:port` that process 0 chose for the backend's own service; the same in all processes."""
    members: list[Present]
    """All processes, in order."""

    def __init__(self, member: Member, service: str, members: list[Present], watch: Watch):
        self.service = service
        self.members = members
        self._member = member
        self._watch = watch
        self._closed = False

    @classmethod
    def join(
        cls,
        member: Member,
        *,
        facts: Mapping[str, Any],
        timeout: float,
        on_lost: Callable[[str], None],
        on_waiting: Callable[[list[int]], None] | None = None,
    ) -> "RollCall":
        """Wait until all processes are there, and begin to watch them.

        Args:
            member: Which process this is.
            facts: What must be equal in all processes, as JSON: versions, configuration, data.
            timeout: Seconds that process 0 waits for the others, and the others for its first
                word. Looking up a name may take some seconds more.
            on_lost: Told once, in a thread, if a process is lost later: see `kgen.cluster.watch`.
            on_waiting: Told on process 0, every few seconds, which processes are still missing.

        Raises:
            KgenError: the port is taken, a process is missing, something else answers, or the
                processes contradict each other. The last ends all processes with the same message.
        """
        facts = dict(facts)
        lines: dict[int, Line]
        if member.process == 0:
            service, members, lines = gather.gather(member, facts, timeout, on_waiting)
        else:
            service, members, line = answer.answer(member, facts, timeout)
            lines = {0: line}
        watch = Watch({present.process: str(present) for present in members}, lines, on_lost)
        watch.start()
        return cls(member, service, members, watch)

    def close(self, wait: float = CLOSE_SECONDS) -> None:
        """Leave in peace: the others do not count this process as lost. Once is enough.

        For the end of a training. Where one fails in one process alone, the others are to know:
        see `fail`.

        Process 0, through which all are in touch, first waits up to `wait` seconds for the others'
        goodbyes; should one of them be lost meanwhile, `on_lost` is told as before. The others
        leave at once.
        """
        if self._closed:
            return
        self._closed = True
        if self._member.process == 0:
            self._watch.over.wait(wait)
        self._watch.leave()

    def fail(self, why: str) -> None:
        """Leave because of an error, of which the others are told; it ends the training for all."""
        if not self._closed:
            self._closed = True
            self._watch.leave(failure=why)
