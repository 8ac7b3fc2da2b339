"""`kgen doctor`: what is installed, what works, what is wrong and what to do about it."""

import json
import os
import platform
import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from kgen import __version__
from kgen.config import BACKENDS
from kgen.errors import KgenError
from kgen.option import Option
from kgen_cli.application import settings
from kgen_cli.options import number
from kgen_cli.probe import ask
from kgen_cli.text import size

# What kgen and its exports stand on, by distribution.
PACKAGES = (
    "keras", "numpy", "pillow", "matplotlib", "typer", "rich", "protobuf",
    "onnx", "onnxruntime", "onnxruntime-gpu", "tf2onnx", "ai-edge-litert", "tensorboard",
)  # fmt: skip

# Modules that several distributions install: two at once overwrite each other's files.
SHARED_MODULES = ("onnxruntime", "onnx", "keras", *BACKENDS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Everything that the doctor found.

    Attributes:
        system: the machine and kgen, in words.
        packages: distribution -> version, or None where it is not installed.
        backends: name -> version, devices or error.
        default_backend: the one used if none is named; None if there is none.
        folders: what it is for -> path, and whether it can be written, and its size.
        problems: what is wrong, each with what to do.
    """

    system: dict[str, str]
    packages: dict[str, str | None]
    backends: dict[str, dict[str, Any]]
    default_backend: str | None
    folders: dict[str, dict[str, Any]]
    problems: list[str] = field(default_factory=list)

    @property
    def usable(self) -> bool:
        """Whether the default backend works, so that training can begin."""
        found = self.backends.get(self.default_backend or "", {"error": "none"})
        return "error" not in found


def doctor(
    ctx: typer.Context,
    as_json: Annotated[
        bool, typer.Option("--json", metavar="", help="Print it for programs.")
    ] = False,
    timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="Longest wait for a backend.",
            parser=number(float, Option(help="", low=1, high=3600)),
        ),
    ] = 120.0,
) -> None:
    """Check what is installed and what works; exit status 0 if kgen can train."""
    report = examine(settings(ctx).runs_root, timeout)
    if as_json:
        typer.echo(json.dumps({**asdict(report), "usable": report.usable}, indent=2))
    else:
        _print(report)
    if not report.usable:
        raise typer.Exit(1)


def examine(runs_root: Path, timeout: float) -> Report:
    """Find out everything; takes as long as importing the slowest backend."""
    from kgen import backend

    versions = backend.installed()
    present = [name for name, version in versions.items() if version is not None]
    answers = ask(present, timeout)
    backends = {
        name: {"version": version, **answers.get(name, {"error": "not installed"})}
        for name, version in versions.items()
    }
    report = Report(
        system=_system(),
        packages={name: _version(name) for name in PACKAGES},
        backends=backends,
        default_backend=_default_backend(),
        folders=_folders(runs_root),
    )
    report.problems.extend(find_problems(report, owners()))
    try:
        report.system.update(_processes(os.environ))
    except KgenError as error:
        report.problems.append(str(error).rstrip("."))
    return report


def find_problems(report: Report, owned: dict[str, list[str]]) -> list[str]:
    """Say what is wrong and what to do.

    Args:
        report: what was found.
        owned: module -> the distributions that install it.
    """
    problems = [
        f"{' and '.join(names)} both install the module {module} and overwrite each other. "
        f"Keep one: pip uninstall {' '.join(names)}, then install the one you want"
        for module, names in owned.items()
        if len(names) > 1
    ]
    for name, found in report.backends.items():
        if found["version"] is not None and "error" in found:
            problems.append(f"{name} does not work: {found['error']}. Reinstall it, or leave it")
    if report.default_backend is None:
        problems.append("no backend is installed. Install one: pip install tensorflow")
    if _has_nvidia() and not any(
        device["kind"] == "gpu" for found in report.backends.values()
        for device in found.get("devices", ())
    ):  # fmt: skip
        problems.append(
            "this machine has an NVIDIA driver, but no backend sees a GPU. "
            "Install the CUDA builds: pip install 'kgen[gpu]'"
        )
    for purpose, folder in report.folders.items():
        if not folder["writable"]:
            problems.append(f"the folder of {purpose}, {folder['path']}, cannot be written")
    return problems


def owners() -> dict[str, list[str]]:
    """Map each shared module to the installed distributions that bring it."""
    from importlib import metadata

    found = metadata.packages_distributions()
    return {module: sorted(set(found.get(module, []))) for module in SHARED_MODULES}


def _system() -> dict[str, str]:
    """Describe the machine."""
    import psutil

    return {
        "kgen": __version__,
        "Python": f"{platform.python_version()} ({sys.executable})",
        "system": platform.platform(),
        "CPU": f"{os.cpu_count()} cores",
        "memory": f"{size(psutil.virtual_memory().total)}, "
        f"{size(psutil.virtual_memory().available)} free",
        "NVIDIA driver": "yes" if _has_nvidia() else "no",
    }


def _processes(environ: Mapping[str, str]) -> dict[str, str]:
    """Say which of several processes this would be in a training; nothing where it is alone.

    Raises:
        KgenError: the environment says so only in part.
    """
    from kgen.cluster import find

    member = find(None, None, None, environ)
    if member is None:
        return {}
    place = f"{member.process} of 0 to {member.num_processes - 1}; 0 is at {member.coordinator}"
    return {"process": place}


def _has_nvidia() -> bool:
    """Tell whether an NVIDIA driver is installed."""
    return shutil.which("nvidia-smi") is not None


def _default_backend() -> str | None:
    """Return the backend used when none is named."""
    from kgen import backend

    try:
        return os.environ.get("KERAS_BACKEND") or backend.default()
    except KgenError:
        return None


def _version(name: str) -> str | None:
    """Return a distribution's version, or None."""
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _folders(runs_root: Path) -> dict[str, dict[str, Any]]:
    """Find where things are kept, whether they can be written, and how big they are."""
    keras_home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    paths = {"runs": runs_root.absolute(), "downloaded data": keras_home / "datasets"}
    return {
        purpose: {"path": str(path), "writable": _writable(path), "bytes": _bytes(path),
                  "free_bytes": shutil.disk_usage(_nearest(path)).free}
        for purpose, path in paths.items()
    }  # fmt: skip


def _nearest(path: Path) -> Path:
    """Return the folder, or the nearest above it that is there."""
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _writable(path: Path) -> bool:
    """Tell whether files can be made in a folder, or the folder itself be made."""
    nearest = _nearest(path)
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _bytes(path: Path) -> int:
    """Add up the files in a folder."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _print(report: Report) -> None:
    """Print the report for people."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)

    def section(title: str, rows: dict[str, str]) -> None:
        console.print(f"[bold]{title}[/]")
        for name, text in rows.items():
            console.print(f"  {name:<18}{text}", markup=False)

    section("System", report.system)
    section("Backends", {n: _backend_text(n, report) for n in report.backends})
    section("Packages", {n: v or "-" for n, v in report.packages.items()})
    section(
        "Folders",
        {
            purpose: f"{f['path']} ({size(f['bytes'])}; {size(f['free_bytes'])} free)"
            for purpose, f in report.folders.items()
        },
    )
    for problem in report.problems:
        console.print(Text.assemble(("Problem: ", "bold yellow"), f"{problem}."), soft_wrap=True)
    verdict = "kgen can train." if report.usable else "kgen cannot train."
    console.print(verdict, style="green" if report.usable else "bold red")


def _backend_text(name: str, report: Report) -> str:
    """Describe a backend on one line."""
    found = report.backends[name]
    if found["version"] is None:
        return "-"
    devices = found.get("devices", [])
    kinds = Counter(f"{d['kind']} ({d['name']})" for d in devices)
    words = ", ".join(kind if n == 1 else f"{n} x {kind}" for kind, n in kinds.items())
    mark = "  <- used if none is named" if name == report.default_backend else ""
    return f"{found['version']}: {words or found['error']}{_spread(name, devices)}{mark}"


def _spread(name: str, devices: list[dict[str, str]]) -> str:
    """Say on how many devices of the kind that it takes a backend can train, if there are more."""
    first = sum(d["kind"] == devices[0]["kind"] for d in devices) if devices else 0
    if first < 2:
        return ""
    from kgen import backend

    try:
        backend.check_spread(name, first)
    except KgenError:
        return "; trains on 1"
    return f"; trains on 1 to {first} (--devices)"
