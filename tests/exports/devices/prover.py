"""Prove bundles in another interpreter: ``python prover.py FOLDER...`` writes JSON.

Runs where kgen is not installed: with another runtime, on another processor. Needs NumPy, Pillow
and the runtimes only, and the project's folders on PYTHONPATH.
"""

import json
import platform
import sys
from importlib import metadata
from pathlib import Path

from kgen_exports.proof import Check, prove
from kgen_exports.runtime import load
from kgen_exports.runtimes import PACKAGES


def main() -> None:
    files = []
    for folder in map(Path, sys.argv[1:]):
        checks, skipped = prove(load(folder))
        if skipped:
            raise SystemExit(f"A runtime is missing: {skipped}")
        files += [{"case": folder.name, **facts(check)} for check in checks]
    told = {
        "machine": platform.machine(),
        "versions": {name: metadata.version(package) for name, package in PACKAGES.items()},
        "files": files,
    }
    sys.stdout.write(json.dumps(told))


def facts(check: Check) -> dict[str, object]:
    """Say of a file what it is and how far it is from Keras: of what decides, the worst."""
    entry = check.entry
    errors = [entry.picture] if entry.picture else list(entry.error.values())
    return {
        "path": entry.path, "part": check.part, "format": entry.format,
        "precision": entry.precision, "problem": check.problem,
        "psnr_db": min((error["psnr_db"] for error in errors), default=0.0),
    }  # fmt: skip


if __name__ == "__main__":
    main()
