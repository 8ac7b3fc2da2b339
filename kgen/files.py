"""Files that are either whole or not there."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kgen.errors import KgenError

_TEMPORARY = ".tmp-"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it there when the block succeeds.

    The move is atomic, so that a reader, a kill or a full disk never meets half a file; what was
    at `path` before stays until then. The temporary name keeps the suffix, since many writers
    choose the format by it.

    Raises:
        KgenError: the file cannot be written (folder read-only, disk full, ...).
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The process's number lets `remove_leftovers` tell a file in the making from one left over.
        prefix = f"{_TEMPORARY}{os.getpid()}-"
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        # mkstemp makes files private; give ours the usual permissions of a new file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise KgenError(
            f"Cannot write {path}: {error.strerror or error}. "
            "Free some space or choose another folder."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all, in UTF-8.

    Raises:
        KgenError: it cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def cache_folder() -> Path:
    """Return where kgen keeps what it can make again: `$KGEN_CACHE`, or the platform's place."""
    import platformdirs  # here: an exported bundle is opened without it

    chosen = os.environ.get("KGEN_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("kgen", appauthor=False)


def holds_only_leftovers(folder: Path) -> bool:
    """Tell whether a folder has nothing in it but temporary files of :func:`replacing`."""
    return folder.is_dir() and all(
        file.name.startswith(_TEMPORARY) and file.is_file() for file in folder.iterdir()
    )


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files in `folder` whose process was killed while it wrote them.

    Raises:
        KgenError: one cannot be removed.
    """
    import psutil  # here: an exported bundle is opened without it

    for file in folder.rglob(f"{_TEMPORARY}*"):
        number = file.name.removeprefix(_TEMPORARY).partition("-")[0]
        if number.isdecimal() and psutil.pid_exists(int(number)):
            continue
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise KgenError(
                f"Cannot remove {file}: {error.strerror}. Remove it by hand."
            ) from error
