"""Places to write to: free, or ours to replace; folders are whole when they get there."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from kgen.errors import KgenError

STAGING = ".exporting-"
"""How the name of a folder in the making begins."""


def check_free(out: Path, force: bool, *, holds: str, ours: Callable[[Path], bool]) -> None:
    """Refuse a folder that holds something, unless it is what is being made and `force` is set.

    Args:
        out: the folder.
        force: whether it may be replaced.
        holds: what is being made, in words: ``bundle``.
        ours: whether a folder is such a thing.

    Raises:
        KgenError: the folder may not be written.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not out.is_dir():
        raise KgenError(f"--out takes a folder. Received: {out}, which is a file.")
    if not ours(out):
        raise KgenError(
            f"--out takes an empty folder. Received: {out}, which holds something other than a "
            f"{holds}. Choose another."
        )
    if not force:
        raise KgenError(f"{out} holds a {holds}. Write over it with --force, or choose another.")


def check_free_file(out: Path, force: bool, suffix: str) -> None:
    """Refuse a place for a file that is taken.

    Args:
        out: the file.
        force: whether it may be replaced.
        suffix: that its name must have: ``.html``.

    Raises:
        KgenError: the file may not be written.
    """
    if out.suffix.lower() != suffix:
        raise KgenError(f"--out takes the name of an {suffix} file here. Received: --out {out}.")
    if out.is_dir():
        raise KgenError(f"--out takes a file here. Received: {out}, which is a folder.")
    if out.exists() and not force:
        raise KgenError(f"{out} is there already. Write over it with --force, or choose another.")


@contextmanager
def staging(out: Path) -> Iterator[Path]:
    """Yield an empty folder beside `out`; it is gone afterwards, unless it was moved in place.

    Raises:
        KgenError: the disk is full, or the place is read-only.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(out.parent)
        folder = Path(tempfile.mkdtemp(prefix=f"{STAGING}{os.getpid()}-", dir=out.parent))
    except OSError as error:
        raise _cannot_write(out, error) from error
    try:
        yield folder
    except OSError as error:
        raise _cannot_write(out, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(parent: Path) -> None:
    """Remove what exports left that were killed: their process's number is in the name."""
    for folder in parent.glob(f"{STAGING}*"):
        number = folder.name.removeprefix(STAGING).partition("-")[0]
        if not (number.isdecimal() and psutil.pid_exists(int(number))):
            shutil.rmtree(folder, ignore_errors=True)


def _cannot_write(out: Path, error: OSError) -> KgenError:
    return KgenError(
        f"Cannot write {out}: {error.strerror or error}. Free some space or choose another folder."
    )


def move(folder: Path, out: Path) -> None:
    """Put a finished folder in place; what was there goes away last."""
    folder.chmod(0o777 & ~_umask())
    if out.exists():
        old = Path(tempfile.mkdtemp(prefix=f"{STAGING}{os.getpid()}-", dir=out.parent))
        os.replace(out, old / out.name)
        os.replace(folder, out)
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.replace(folder, out)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
