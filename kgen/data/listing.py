"""Find the pictures in a folder."""

import os
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path

from kgen.errors import KgenError

# The name of a file says whether it is meant to be a picture; its content says of which kind.
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


@dataclass(slots=True)
class Listing:
    """What a folder holds.

    Attributes:
        pictures: paths relative to the folder, with forward slashes, sorted.
        skipped: those that cannot be read, each as ``"path (reason)"``.
        others: number of other files by suffix.
    """

    pictures: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)


def list_pictures(root: Path) -> Listing:
    """List the pictures in a folder and its sub-folders, always in the same order.

    Hidden files and folders are left out. Linked folders are followed, but no folder is read
    twice, so a loop of links ends.

    Raises:
        KgenError: a folder cannot be listed.
    """
    result = Listing()
    seen: set[tuple[int, int]] = set()
    # Folders before links to folders: what can be reached in both ways counts where it really is.
    waiting = deque([""])
    while waiting:
        folder = waiting.popleft()
        for entry in _entries(root / folder, seen):
            path = f"{folder}{entry.name}"
            if entry.is_dir():
                (waiting.append if entry.is_symlink() else waiting.appendleft)(f"{path}/")
            elif not path.lower().endswith(SUFFIXES):
                result.others[Path(path).suffix.lower() or "without suffix"] += 1
            elif entry.is_file():
                result.pictures.append(path)
            else:  # a dangling link, or a pipe, which would make the reader wait for ever
                result.skipped.append(skip(path, "not a file"))
    result.pictures.sort()
    return result


def skip(path: str, reason: str) -> str:
    """Name a picture that is left out; odd characters in its path are escaped."""
    return f"{repr(path)[1:-1]} ({reason})"


def classes(pictures: list[str]) -> tuple[list[int], tuple[str, ...]] | None:
    """Read class numbers off the first folder of each path.

    Classes are numbered in the order of their names, by value if all are whole numbers.

    Returns:
        A class number for each picture and the name of each class, or None if any picture is in
        no sub-folder.
    """
    folders = [path.partition("/")[0] if "/" in path else "" for path in pictures]
    names = set(folders)
    if "" in names:
        return None
    numeric = all(name.isascii() and name.isdigit() for name in names)
    ordered = sorted(names, key=(lambda name: (int(name), name)) if numeric else None)
    number = {name: i for i, name in enumerate(ordered)}
    return [number[folder] for folder in folders], tuple(ordered)


def _entries(folder: Path, seen: set[tuple[int, int]]) -> list[os.DirEntry[str]]:
    """List a folder by name without hidden entries; nothing if it has been `seen`."""
    try:
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            return []
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise KgenError(f"Cannot list the folder {str(folder)!r}: {error.strerror}.") from error
    return sorted(visible, key=lambda entry: entry.name)
