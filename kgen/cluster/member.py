"""Which of several processes this one is, from options, variables or the launcher."""

from collections.abc import Mapping
from dataclasses import dataclass

from kgen.cluster.launcher import Said, said_by_launcher
from kgen.errors import KgenError

OPTIONS = {
    "coordinator": ("--coordinator", "KGEN_COORDINATOR"),
    "num_processes": ("--num-processes", "KGEN_NUM_PROCESSES"),
    "process": ("--process-id", "KGEN_PROCESS_ID"),
}
"""The option, and the variable, that say each part of a `Member`."""

_MEANINGS = {
    "coordinator": "HOST:PORT (process 0's machine and a free port there, the same for all)",
    "num_processes": "N (how many processes there are)",
    "process": "I (from 0 on, another for each process)",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One process of several that train one model together."""

    coordinator: str
    """Address of process 0's roll call, `host:port`; an IPv6 address in brackets."""
    num_processes: int
    """How many there are, at least 2."""
    process: int
    """Which one this is, from 0 to `num_processes - 1`."""

    @property
    def host(self) -> str:
        """Name or address of process 0's machine, without brackets."""
        return split_address(self.coordinator)[0]

    @property
    def port(self) -> int:
        """Port of the roll call."""
        return split_address(self.coordinator)[1]


def find(
    coordinator: str | None,
    num_processes: int | None,
    process_id: int | None,
    environ: Mapping[str, str],
) -> Member | None:
    """Settle who this process is, or return None where it trains alone.

    Each of the three is taken from the option, else from its variable (`KGEN_COORDINATOR`,
    `KGEN_NUM_PROCESSES`, `KGEN_PROCESS_ID`), else from what a launcher has set: torchrun, mpirun of
    Open MPI, srun of Slurm, an indexed Job of Kubernetes. `num_processes` 1 turns all of it off.

    Raises:
        KgenError: a part is missing, no number, or out of range.
    """
    said = said_by_launcher(environ)
    given = {"coordinator": coordinator, "num_processes": num_processes, "process": process_id}
    place = _place(said, _explicit(given, environ), tuple(given))
    if place is None:
        return None
    address, source = said["coordinator"]
    split_address(address, source)
    return Member(coordinator=address, num_processes=place[1], process=place[0])


def share(
    num_processes: int | None, process_id: int | None, environ: Mapping[str, str]
) -> tuple[int, int]:
    """Settle which part of a work that needs no talk is this process's, as `find` does.

    Returns:
        (this process, how many there are); (0, 1) where it works alone.

    Raises:
        KgenError: a part is missing, no number, or out of range.
    """
    given = {"num_processes": num_processes, "process": process_id}
    said = said_by_launcher(environ)
    return _place(said, _explicit(given, environ), tuple(given)) or (0, 1)


def _explicit(given: Mapping[str, str | int | None], environ: Mapping[str, str]) -> dict[str, Said]:
    """Return what options and kgen's own variables say of the fields in `given`."""
    found = {}
    for field, value in given.items():
        option, variable = OPTIONS[field]
        if value is not None:
            found[field] = Said(str(value), option)
        elif environ.get(variable):
            found[field] = Said(environ[variable], variable)
    return found


def _place(
    said: dict[str, Said], explicit: Mapping[str, Said], fields: tuple[str, ...]
) -> tuple[int, int] | None:
    """Add the explicit to what was said; return process and number of them, or None if alone.

    All `fields` must have been said, unless it is alone.

    Raises:
        KgenError: a part is missing, no number, or out of range.
    """
    said |= explicit
    if not explicit and "num_processes" not in said:
        return None
    number = _number(said, "num_processes", at_least=1, default=2)
    if number == 1 and "process" not in explicit:
        return None
    process = _number(said, "process", at_least=0, default=0)
    if number > 1:
        _check_complete(said, fields)
    if process >= number:
        raise KgenError(
            f"Expected a process from 0 to {number - 1}, since {_text(said['num_processes'])}; "
            f"received {_text(said['process'])}."
        )
    return None if number == 1 else (process, number)


def split_address(address: str, source: str = "coordinator") -> tuple[str, int]:
    """Return host and port of `host:port` or `[IPv6]:port`.

    Raises:
        KgenError: it is something else, or an address at which no other machine is reached.
    """
    host, _, port = address.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    right = bool(bare) and not set(bare) & set("[]/ ") and (":" not in bare or host != bare)
    if not right or not port.isdecimal() or not port.isascii() or not 1 <= int(port) <= 65535:
        raise KgenError(
            f"Expected HOST:PORT with a port from 1 to 65535, such as node1:29400 or [::1]:29400; "
            f"received {source}={address}."
        )
    if bare in ("0.0.0.0", "::"):
        raise KgenError(
            f"Expected the name or address of process 0's machine, as the others reach it; "
            f"received {source}={address}, which means every address of a machine."
        )
    return bare, int(port)


def _check_complete(said: Mapping[str, Said], fields: tuple[str, ...]) -> None:
    """Check that all fields were said.

    Raises:
        KgenError: some were not; it names them.
    """
    missing = [name for name in fields if name not in said]
    if not missing:
        return
    options = " and ".join(f"{OPTIONS[name][0]} {_MEANINGS[name]}" for name in missing)
    variables = " and ".join(OPTIONS[name][1] for name in missing)
    raise KgenError(
        f"Expected {options}, or {variables}, together with "
        f"{' and '.join(map(_text, said.values()))}. For one process alone: --num-processes 1."
    )


def _number(said: Mapping[str, Said], field: str, *, at_least: int, default: int) -> int:
    """Return a whole number that was said, or the default.

    Raises:
        KgenError: it is none, or too small.
    """
    if field not in said:
        return default
    text = said[field].value.strip()
    if not text.isdecimal() or not text.isascii() or int(text) < at_least:
        raise KgenError(
            f"Expected a whole number from {at_least} on, received {_text(said[field])}."
        )
    return int(text)


def _text(said: Said) -> str:
    return f"{said.source}={said.value}"
