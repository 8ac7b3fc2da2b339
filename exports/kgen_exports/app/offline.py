"""Which files the service worker keeps: all of a site, by their hashes."""

import base64
import hashlib
import json
from pathlib import Path

from kgen.files import write_text

WORKER = "sw.js"
FILES_LINE = "const FILES = [];"
VERSION_LINE = "const VERSION = '';"
"""Lines of sw.js that the build fills in."""
PAGE = "index.html"


def fill(folder: Path) -> None:
    """List every file of a finished site in its service worker.

    The browser looks for a new version by comparing the worker byte by byte, so it must be another
    one whenever any file is.

    Args:
        folder: of the site.
    """
    files = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        if name == WORKER:
            continue
        content = path.read_bytes()
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        files.append(["./" if name == PAGE else name, digest, len(content)])
    listed = json.dumps(files, separators=(",", ":"))
    version = hashlib.sha256(listed.encode()).hexdigest()[:16]
    text = (folder / WORKER).read_text(encoding="utf-8")
    for line in (FILES_LINE, VERSION_LINE):
        if text.count(line) != 1:
            raise ValueError(f"{WORKER} has the line {line!r} once. Received: {text.count(line)}.")
    text = text.replace(FILES_LINE, f"const FILES = {listed};")
    write_text(folder / WORKER, text.replace(VERSION_LINE, f"const VERSION = '{version}';"))
