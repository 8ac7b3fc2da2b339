"""Debian's tools for Android packages: what they are called, and how they are run."""

import os
import shutil
import subprocess
from pathlib import Path

from kgen.errors import KgenError

FRAMEWORK = Path("/usr/share/android-framework-res/framework-res.apk")
"""What Android's own names mean, for aapt."""
PACKAGES = {
    "aapt": "aapt",
    "apksigner": "apksigner",
    "smali": "libsmali-java",
    "zipalign": "zipalign",
    "keytool": "default-jre-headless",
}
"""Debian's package of each tool."""
FRAMEWORK_PACKAGE = "android-framework-res"
SECONDS = 300
"""Longest that a tool may take; all of them are done in a few."""


def require_tools() -> None:
    """Check that everything that a package takes is installed.

    Raises:
        KgenError: it is not; the message names Debian's packages.
    """
    missing = [package for tool, package in PACKAGES.items() if shutil.which(tool) is None]
    if not FRAMEWORK.is_file():
        missing.append(FRAMEWORK_PACKAGE)
    if missing:
        raise KgenError(
            "An Android package is built by Debian's tools, some of which are not here. Install: "
            f"apt-get install {' '.join(missing)}"
        )


def run(command: list[str], **variables: str) -> str:
    """Run a tool, and return what it wrote.

    Args:
        command: and its arguments.
        variables: added to the environment: no password is in the arguments, which all may read.

    Raises:
        KgenError: it failed; the message has the line that says why.
    """
    done = subprocess.run(
        command, env={**os.environ, "LC_ALL": "C.UTF-8", **variables}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=SECONDS,
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        lines = [line.strip() for line in f"{done.stderr}\n{done.stdout}".splitlines()]
        why = next((line for line in lines if line and not line.startswith("at ")), "no message")
        raise KgenError(f"{command[0]} ended with status {done.returncode}: {why[:300]}")
    return done.stdout
