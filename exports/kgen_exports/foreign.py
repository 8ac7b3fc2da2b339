"""Read files that someone else made: as data, and only after a look at their size."""

from pathlib import Path

from kgen.errors import KgenError

# Neither format can be larger: protobuf messages and FlatBuffers both end at 2 GiB.
MAX_BYTES = 2**31 - 1


def read_bytes(path: Path, kind: str) -> bytes:
    """Return a foreign file's bytes; nothing is allocated for one that is too large.

    Args:
        path: the file.
        kind: what it should be, for messages: `ONNX`.

    Raises:
        KgenError: no such file, not a regular file, larger than `MAX_BYTES`, or not readable.
    """
    if not path.exists():
        raise KgenError(f"There is no file {path}. Expected an existing file in {kind} format.")
    if not path.is_file():
        raise KgenError(f"{path} is not a regular file. Expected one in {kind} format.")
    count = path.stat().st_size
    if count > MAX_BYTES:
        raise KgenError(
            f"{path} has {count:,} bytes; a file in {kind} format has at most {MAX_BYTES:,}."
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise KgenError(f"{path} cannot be read: {error.strerror or error}.") from error
