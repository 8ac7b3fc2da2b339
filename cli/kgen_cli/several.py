"""Several devices and processes that compute one thing together: options, roll call, end."""

import inspect
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

from kgen.errors import KgenError
from kgen.option import Option
from kgen_cli import session
from kgen_cli.application import STOPPED, describe, say_error, say_note
from kgen_cli.options import number, numbered, optional, valued

if TYPE_CHECKING:
    from kgen.cluster import Member, RollCall
    from kgen.run import Run
    from kgen.run_config import RunConfig

PANEL = "Several devices"
"""Heading of the help."""

JOIN_SECONDS = 300.0
"""How long the processes of a training wait for each other, unless told otherwise."""

NOTICE_SECONDS = 3.0
"""Longer than the roll call takes to notice that a process was killed."""


def _devices(text: str) -> int | str:
    """Read a number of devices, or `all`."""
    return text if text == "all" else number(int, Option(help="", low=1))(text)


def _devices_option(default: str, panel: str) -> Any:
    """Make the option --devices."""
    return valued(
        "--devices",
        text="Devices of each process that share every batch; only on JAX.",
        default=default, panel=panel, metavar="INT|all", parser=_devices,
    )  # fmt: skip


Devices = Annotated[Any, _devices_option("1; of several processes all", PANEL)]
Coordinator = Annotated[
    str | None,
    valued(
        text="Where process 0 waits for the others.",
        default="$KGEN_COORDINATOR, else what SLURM, Open MPI or torchrun say",
        panel=PANEL, metavar="HOST:PORT",
    ),
]  # fmt: skip
NumProcesses = Annotated[
    int | None,
    numbered(
        limits=Option(help="Processes, on one machine or several, that train together.", low=1),
        default="$KGEN_NUM_PROCESSES, else as above", panel=PANEL,
    ),
]  # fmt: skip
ProcessId = Annotated[
    int | None,
    numbered(
        limits=Option(help="Which of them this is, from 0; 0 writes.", low=0),
        default="$KGEN_PROCESS_ID, else as above", panel=PANEL,
    ),
]  # fmt: skip
JoinTimeout = Annotated[
    float,
    numbered(
        limits=Option(
            help="Seconds that the processes wait for each other to start.", low=1, high=86_400
        ),
        kind=float, default=f"{JOIN_SECONDS:g}", panel=PANEL,
    ),
]  # fmt: skip


def drawing_devices(panel: str) -> inspect.Parameter:
    """Return the option --devices of a command that draws, as one of its `values`."""
    return optional("devices", Any, _devices_option("1", panel))


def start_drawing(values: Mapping[str, Any], *, debug: bool) -> None:
    """Start the backend to draw with, on the devices that a command's `values` ask for.

    Raises:
        KgenError: the backend or a device is not there, or batches do not divide by the devices.
    """
    devices = values.get("devices", 1)
    session.start(
        backend_name=values.get("training__backend"),
        device=values.get("training__device", "auto"),
        devices=None if devices == "all" else devices,
        debug=debug,
    )
    if devices != 1:
        _check_drawing()


def _check_drawing() -> None:
    """Check that a batch of pictures divides by the devices.

    Raises:
        KgenError: it does not.
    """
    from kgen import device
    from kgen.pictures import BATCH

    devices = device.spread().devices
    if BATCH % devices:
        raise KgenError(
            f"Pictures are drawn {BATCH} at a time, by a number of devices that divides it. "
            f"Received: {devices} devices. Give another number by --devices."
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Team:
    """Who computes: the devices of each process, and the processes.

    Attributes:
        devices: of each process; None for all.
        member: which process this is; None where it is the only one.
        timeout: seconds to wait for the others.
    """

    devices: int | None = 1
    member: "Member | None" = None
    timeout: float = JOIN_SECONDS

    @property
    def writes(self) -> bool:
        """Whether this process is the one that writes and talks."""
        return self.member is None or self.member.process == 0


def team(
    devices: int | str | None,
    coordinator: str | None,
    num_processes: int | None,
    process_id: int | None,
    timeout: float,
) -> Team:
    """Settle who computes, from the options and the environment.

    Raises:
        KgenError: they are incomplete or contradict each other.
    """
    from kgen.cluster import find  # here, like its neighbours: `kgen --help` needs no sockets

    member = find(coordinator, num_processes, process_id, os.environ)
    if devices is None:
        devices = 1 if member is None else "all"
    return Team(
        devices=None if isinstance(devices, str) else devices, member=member, timeout=timeout
    )


@contextmanager
def together(
    own: Team, config: "RunConfig", run: "Run", *, resume: bool, debug: bool
) -> Iterator[Callable[[], None] | None]:
    """Answer the roll call, and keep in touch with the other processes during the block.

    What goes wrong in the block ends this process with the error, and the others with it.

    Args:
        own: who computes.
        config: what is trained: must be the same in all processes.
        run: the run that goes on, whose checkpoints all must see; or a new one.
        resume: whether it goes on.
        debug: show the traceback of an error.

    Yields:
        What connects the backend to the other processes; None where there are none.

    Raises:
        KgenError: the processes do not find each other, or differ.
    """
    if own.member is None:
        yield None
        return
    from kgen import device

    member, call = own.member, _roll_call(own, own.member, config, run, resume)

    def connect() -> None:
        device.join(call.service, member.num_processes, member.process, own.timeout)

    try:
        yield connect
    except BaseException as error:
        if isinstance(error, Exception) and not isinstance(error, KgenError):
            # Most likely the backend lost its connection to a process that is gone. In a moment
            # the roll call says which, and ends this one.
            time.sleep(NOTICE_SECONDS)
        call.fail(describe(error) if isinstance(error, Exception) else "It was interrupted.")
        if debug:
            traceback.print_exc()
        if isinstance(error, Exception):
            say_error(describe(error))
        _exit(1 if isinstance(error, Exception) else STOPPED)
    # The backend's coordination is in process 0, so the others leave it first.
    if member.process == 0:
        call.close()
        device.leave()
    else:
        device.leave()
        call.close()


def _roll_call(
    own: Team, member: "Member", config: "RunConfig", run: "Run", resume: bool
) -> "RollCall":
    """Wait for the other processes.

    Raises:
        KgenError: they do not come, or differ; or the backend computes in one process only.
    """
    from kgen import __version__, backend, checkpoint
    from kgen.cluster import RollCall

    training = config.training
    name = backend.select(training.backend, device=training.device)
    backend.check_spread(name, processes=member.num_processes)
    facts = {
        "version": __version__,
        "backend": name,
        "devices": own.devices,
        "resume": resume,
        "checkpoints": [path.name for path in checkpoint.paths(run.checkpoints)],
        **config.to_mapping(),
    }
    return RollCall.join(
        member, facts=facts, timeout=own.timeout, on_lost=_lost, on_waiting=_Missing()
    )


def _lost(message: str) -> None:
    """End this process: another is lost, for which its main thread waits beyond waking."""
    say_error(f"{message} Go on from the last checkpoint with the same command and --resume.")
    _exit(1)


def _exit(status: int) -> NoReturn:
    """End at once: an orderly end would wait for the other processes, or abort without them."""
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h")  # a live display hides the cursor
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


class _Missing:
    """Says whom process 0 waits for, whenever that changes."""

    def __init__(self) -> None:
        self._said: list[int] = []

    def __call__(self, missing: list[int]) -> None:
        """Say it, if it is news."""
        if missing != self._said:
            self._said = missing
            plural = "es" if len(missing) > 1 else ""
            say_note(f"Waiting for process{plural} {', '.join(map(str, missing))}.")
