"""Other places to run files in: the oldest runtimes there are, and an ARM64 processor.

Each is made once, from Debian's and Python's packages, and kept until its pins change.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from kgen.files import cache_folder
from kgen_exports.runtimes import OLDEST, PACKAGES

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "build" / "devices"
SECONDS = 600
"""Longest that one program may take."""
FLOORS = ("numpy==2.0.2", "pillow==11.0.0")
"""The least that kgen asks for, in pyproject.toml."""
ARM64_RUNTIMES = {"onnxruntime": "1.27.0", "litert": "2.1.6"}
"""The newest that QEMU 7.2 runs: later wheels end in a segmentation fault there, on import
(ONNX Runtime) or when an interpreter is made (LiteRT)."""
ARM64_WHEELS = ("numpy==2.3.5", "pillow==12.0.0")
ARM64_DEBS = ("python3", "libstdc++6")
PLATFORMS = ("manylinux2014", "manylinux_2_17", "manylinux_2_27", "manylinux_2_28")
PROCESSOR = "cortex-a76"
"""A phone's: `max`, QEMU's default, has SVE, which is emulated 11 to 27 times as slowly."""
TOOLS = {"apt-get": "apt", "dpkg": "dpkg", "qemu-aarch64-static": "qemu-user-static"}
"""Debian's package of each tool that an ARM64 Python takes."""


class EnvironmentMissing(Exception):
    """An environment cannot be made here; the message says what to install."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """A Python to run programs with, and what must be in its environment."""

    command: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)

    def prove(self, folders: list[Path]) -> dict:
        """Run the proof there; return what `prover.py` tells."""
        paths = [str(ROOT), str(ROOT / "exports")]
        paths += filter(None, [self.variables.get("PYTHONPATH")])
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        prover = Path(__file__).with_name("prover.py")
        done = subprocess.run(
            [*self.command, "-P", str(prover), *map(str, folders)],
            env={**kept, **self.variables, "PYTHONDONTWRITEBYTECODE": "1",
                 "PYTHONPATH": os.pathsep.join(paths)},
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"{prover.name} ended with {done.returncode}: {done.stderr[-2000:]}")
        return json.loads(done.stdout)


def old_runtimes() -> Environment:
    """Return a virtual environment with exactly the oldest runtimes that kgen claims."""
    wanted = (*(f"{PACKAGES[name]}=={version}" for name, version in OLDEST.items()), *FLOORS)

    def make(folder: Path) -> None:
        _run([sys.executable, "-m", "venv", str(folder)])
        _run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *wanted])

    # Where it is made is where it stays: an environment's programs know their folder.
    folder = BUILD / "old-runtimes"
    _once(folder, (sys.version, *wanted), make)
    return Environment(command=(str(folder / "bin" / "python"),))


def arm64() -> Environment:
    """Return a Python of Debian's for ARM64, run by QEMU, with both runtimes; takes no root.

    Raises:
        EnvironmentMissing: a tool is not installed.
    """
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if missing:
        raise EnvironmentMissing(
            f"Emulating ARM64 takes Debian and its packages. Install: apt-get install "
            f"{' '.join(missing)}"
        )
    wheels = (*(f"{PACKAGES[n]}=={v}" for n, v in ARM64_RUNTIMES.items()), *ARM64_WHEELS)
    folder = cache_folder() / "arm64"
    root, site = folder / "root", folder / "site"

    def make(_: Path) -> None:
        _unpack_debs(folder / "apt", root)
        version = _python(root).name.removeprefix("python")
        platforms = [f"--platform={name}_aarch64" for name in PLATFORMS]
        _run([
            sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:", *platforms,
            f"--python-version={version}", "--target", str(site), *wheels,
        ])  # fmt: skip

    _once(folder, (*wheels, *ARM64_DEBS), make)
    return Environment(
        command=("qemu-aarch64-static", "-L", str(root), str(_python(root))),
        variables={"PYTHONPATH": str(site), "QEMU_CPU": PROCESSOR},
    )


def _python(root: Path) -> Path:
    """Return Debian's Python below a root, by its full name: ``python3.11``."""
    (python,) = (root / "usr" / "bin").glob("python3.[0-9]*")
    return python


def _unpack_debs(apt: Path, root: Path) -> None:
    """Unpack ARM64 packages and what they depend on, by an apt that knows of no installed one."""
    for name in ("state/lists/partial", "cache/archives/partial"):
        (apt / name).mkdir(parents=True)
    root.mkdir()
    status = apt / "state" / "status"
    status.touch()
    options = {
        "APT::Architecture": "arm64", "APT::Architectures": "arm64", "Dir::State": apt / "state",
        "Dir::State::status": status, "Dir::Cache": apt / "cache", "APT::Sandbox::User": "",
    }  # fmt: skip
    command = ["apt-get", "--quiet", *(f"-o{name}={value}" for name, value in options.items())]
    _run([*command, "update"])
    _run([
        *command, "install", "--yes", "--no-install-recommends", "--download-only", *ARM64_DEBS,
    ])  # fmt: skip
    for deb in sorted((apt / "cache" / "archives").glob("*.deb")):
        _run(["dpkg", "-x", str(deb), str(root)])
    shutil.rmtree(apt)


def _once(folder: Path, pins: tuple[str, ...], make: Callable[[Path], None]) -> None:
    """Fill a folder, unless it was filled before for the same pins; its stamp is written last."""
    stamp = folder / "pins.json"
    if stamp.is_file() and json.loads(stamp.read_text(encoding="utf-8")) == list(pins):
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    make(folder)
    stamp.write_text(json.dumps(pins), encoding="utf-8")


def _run(command: list[str]) -> None:
    """Run a program; on failure tell what it said."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode != 0:
        said = f"{done.stdout}\n{done.stderr}".strip()[-2000:]
        raise EnvironmentMissing(f"{' '.join(command)} ended with {done.returncode}: {said}")
