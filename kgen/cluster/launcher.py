"""What the programs that start processes on many machines tell each of them, by environment."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple
from zlib import crc32

Environ = Mapping[str, str]

FIRST_PORT = 61440
"""First of the 4096 ports up to 65535 that a coordinator may get where nobody chose one.

JAX takes the same ones. Linux gives outgoing connections 32768 to 60999, so these tend to be free.
"""


class Said(NamedTuple):
    """A value as text, and the option or variable that it comes from."""

    value: str
    source: str


def said_by_launcher(environ: Environ) -> dict[str, Said]:
    """Return what the launcher says of `coordinator`, `num_processes` and `process`.

    The innermost is asked: `srun` starts an `mpirun` or `torchrun` on each machine, never the other
    way round. Whatever started this as the only process has nothing to say of others.
    """
    asked: tuple[Callable[[Environ], dict[str, Said]], ...]
    asked = (_torchrun, _open_mpi, _slurm, _kubernetes)
    said = next(filter(None, (ask(environ) for ask in asked)), {})
    number = said.get("num_processes")
    return {"num_processes": number} if number and number.value == "1" else said


def _from(environ: Environ, **variables: str) -> dict[str, Said]:
    return {
        field: Said(environ[name], name) for field, name in variables.items() if environ.get(name)
    }


def _torchrun(environ: Environ) -> dict[str, Said]:
    """Read torchrun's variables; scripts set the same by hand for PyTorch's `env://`."""
    said = _from(environ, num_processes="WORLD_SIZE", process="RANK")
    if len(said) < 2:  # many a Slurm script sets WORLD_SIZE, and leaves the rank to srun
        return {}
    host, port = environ.get("MASTER_ADDR"), environ.get("MASTER_PORT", "")
    if host and port:
        if environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True" and port.isdecimal():
            # torchrun itself listens on MASTER_PORT as long as it runs: the next one is ours.
            port = str(int(port) + 1)
        said["coordinator"] = Said(_address(host, port), "MASTER_ADDR and MASTER_PORT")
    return said


def _open_mpi(environ: Environ) -> dict[str, Said]:
    """Read mpirun's variables. They name no machine, so one of several must be told."""
    said = _from(environ, num_processes="OMPI_COMM_WORLD_SIZE", process="OMPI_COMM_WORLD_RANK")
    if len(said) < 2:
        return {}
    if environ.get("OMPI_COMM_WORLD_LOCAL_SIZE") == said["num_processes"].value:
        # The name that mpirun gives all that it starts tells several on one machine apart.
        job = environ.get("PMIX_NAMESPACE", "")
        port = FIRST_PORT + crc32(job.encode()) % 4096
        said["coordinator"] = Said(f"127.0.0.1:{port}", "OMPI_COMM_WORLD_LOCAL_SIZE")
    return said


def _slurm(environ: Environ) -> dict[str, Said]:
    """Read the variables of a job step, which only `srun` sets.

    `SLURM_NTASKS` and `SLURM_PROCID` are not enough: `sbatch` sets them for the script, which runs
    once, on the first machine.

    Source: srun(1), "OUTPUT ENVIRONMENT VARIABLES".
    """
    step = _from(environ, num_processes="SLURM_STEP_NUM_TASKS", process="SLURM_PROCID")
    if len(step) < 2:
        return {}
    host = first_host(environ.get("SLURM_STEP_NODELIST", ""))
    job, number = environ.get("SLURM_JOB_ID", ""), environ.get("SLURM_STEP_ID", "0")
    if host and job.isdecimal() and number.isdecimal():
        # Steps of one job may run side by side, and jobs with neighbouring numbers: 64 apart,
        # neither gets the other's port.
        port = FIRST_PORT + (int(job) + 64 * int(number)) % 4096
        step["coordinator"] = Said(_address(host, str(port)), "SLURM_STEP_NODELIST")
    return step


def _kubernetes(environ: Environ) -> dict[str, Said]:
    """Read which pod of an indexed Job this is; how many there are, a pod is not told."""
    return _from(environ, process="JOB_COMPLETION_INDEX")


def first_host(nodes: str) -> str | None:
    """Return the first of Slurm's compressed list of machines, or None if it is no such list.

    `gpu[003-010,12],login1` begins with `gpu003`, `rack[2-3]n[07,09]-ib` with `rack2n07-ib`. What
    `scontrol show hostnames` prints first, which need not be installed where a container runs.
    """
    first = re.match(r"(?:[^][,\s]|\[\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*\])+(?=,|$)", nodes)
    return re.sub(r"\[(\d+)[^]]*\]", r"\1", first[0]) if first else None


def _address(host: str, port: str) -> str:
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"
