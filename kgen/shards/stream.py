"""Drawing a seed's pictures into shards: what is there stays, what is missing is drawn."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from kgen.errors import KgenError
from kgen.files import remove_leftovers, replacing
from kgen.pictures import BATCH
from kgen.shards.contents import CONTENTS, Contents
from kgen.shards.writing import FORMATS

Progress = Callable[[int, int], None]
Draw = Callable[[int, int, Progress], np.ndarray]
"""(n, start, progress) -> pictures `start` to `start + n - 1`, uint8 (n, H, W, C)."""


def begin(folder: Path, contents: Contents, *, force: bool = False) -> None:
    """Make a folder ready for shards: empty but for those of the same contents.

    Whoever comes first writes `pictures.json`; the others find it.

    Args:
        folder: made if it is not there.
        contents: what it is to hold.
        force: whether shards that are there are removed.

    Raises:
        KgenError: the folder holds other pictures, or files that are not kgen's shards; those are
            never removed.
    """
    if folder.is_file():
        raise KgenError(f"Shards are written to a folder. Received: {folder}, a file.")
    # Listed before it is read: another process may write its first files in between.
    names = _visible(folder)
    found = Contents.read(folder)
    known = set() if found is None else {CONTENTS, *found.names()}
    strangers = [name for name in names if name not in known]
    if strangers:
        raise KgenError(
            f"Shards take a folder of their own. Received: {folder}, which holds "
            f"{', '.join(strangers[:3])}{', ...' if len(strangers) > 3 else ''}. "
            "Choose another folder."
        )
    if found is not None and force:
        # Shards first: should this be stopped, the file still says what is left.
        for name in (*found.names(), CONTENTS):
            (folder / name).unlink(missing_ok=True)
        found = None
    if found is None:
        contents.write(folder)
    _check(folder, contents)


def stream(
    folder: Path,
    contents: Contents,
    draw: Draw,
    *,
    share: tuple[int, int] = (0, 1),
    progress: Progress = lambda done, total: None,
) -> None:
    """Draw the pictures of the shards that are not there yet, and write them one after the other.

    In memory is one batch, whatever the number of pictures and the size of a shard. Batches are
    those of one long draw, so a picture is the same bytes whatever the shards' size, however often
    the drawing was stopped, and whoever draws it.

    Args:
        folder: made ready by :func:`begin`.
        contents: what it is to hold.
        draw: a model's `generate`, of the seed and the sampler in `contents`.
        share: (process, num_processes): process i takes the shards k with
            k % num_processes == i, and needs no word with the others.
        progress: called with (pictures of the share done, pictures in the share).

    Raises:
        KgenError: the share is none, a file cannot be written, or somebody else has begun to draw
            other pictures into the folder.
    """
    process, num_processes = share
    if not 0 <= process < num_processes:
        raise KgenError(
            "A share is (process, num_processes), with processes numbered from 0. "
            f"Received: share={share}."
        )
    mine = range(process, contents.num_shards, num_processes)
    missing = [shard for shard in mine if not (folder / contents.name(shard)).exists()]
    total = _count(contents, mine)
    done = total - _count(contents, missing)
    progress(done, total)
    for shard in missing:
        rows = contents.rows(shard)

        def report(drawn: int, before: int = done) -> None:
            progress(before + drawn, total)

        _check(folder, contents)
        with replacing(folder / contents.name(shard)) as temporary:
            batches = _batches(draw, rows, report)
            FORMATS[contents.format](temporary, rows, contents.shape, batches)
        done += len(rows)
    # A process cannot tell another machine's files in the making from those of one that was
    # killed. Once every shard is whole, nothing is in the making.
    if num_processes == 1 or written(folder, contents) == contents.number:
        remove_leftovers(folder)


def written(folder: Path, contents: Contents) -> int:
    """Count the pictures in whole shards, whoever drew them."""
    whole = [k for k in range(contents.num_shards) if (folder / contents.name(k)).exists()]
    return _count(contents, whole)


def _batches(draw: Draw, rows: range, report: Callable[[int], None]) -> Iterator[np.ndarray]:
    """Draw pictures in whole batches of the long draw, and hand over those in `rows`.

    Batches of one size compute a picture alike to the last bit, where others may round it the
    other way.
    """
    for first in range(rows.start // BATCH * BATCH, rows.stop, BATCH):
        low, high = max(first, rows.start), min(first + BATCH, rows.stop)

        def part(done: int, whole: int, low: int = low, count: int = high - low) -> None:
            report(low - rows.start + count * done // max(whole, 1))

        yield draw(BATCH, first, part)[low - first : high - first]


def _check(folder: Path, contents: Contents) -> None:
    """Raise KgenError if the folder is to hold other pictures, or not any more these."""
    found = Contents.read(folder)
    if found != contents:
        what = "nothing any more" if found is None else contents.differences(found)
        raise KgenError(
            f"{folder} holds other pictures than those asked for. Received: {what}. "
            "Choose another folder, or begin anew with --force."
        )


def _visible(folder: Path) -> list[str]:
    """List what a folder holds; hidden files are nobody's business."""
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def _count(contents: Contents, shards: range | list[int]) -> int:
    """Count the pictures in some shards."""
    return sum(len(contents.rows(shard)) for shard in shards)
