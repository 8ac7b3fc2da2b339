"""How many devices and processes a computation is spread over."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """One computation on several devices, which may belong to several processes.

    Attributes:
        devices: devices of all processes together.
        processes: processes.
        process: which of them this is, from 0.
    """

    devices: int = 1
    processes: int = 1
    process: int = 0

    @property
    def writes(self) -> bool:
        """Whether this process is the one that writes files and talks."""
        return self.process == 0

    @property
    def share(self) -> tuple[int, int]:
        """Which part of a batch this process fetches: (index, number of parts)."""
        return self.process, self.processes
