"""`kgen sample --format`: many pictures as a folder of shards, by one process or by several."""

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from kgen.errors import KgenError
from kgen.option import Option
from kgen_cli.application import say_note
from kgen_cli.options import numbered, valued
from kgen_cli.request import Request

if TYPE_CHECKING:
    from kgen.run import Run

PANEL = "Many pictures"
"""Heading of the help."""
SIZE = 10_000
"""Pictures in a shard, unless told otherwise."""
MOST = 100_000
"""Pictures in a shard at most: a reader of a `.tar` keeps a record of each while it opens one."""


class Format(StrEnum):
    """The files that shards can be."""

    NPZ = "npz"
    TAR = "tar"


FormatName = Annotated[
    Format | None,
    valued(
        "--format", text="Shards of the folder --out: npz (arrays), tar (PNGs, as WebDataset has "
        "them). Little memory; goes on where it was stopped.",
        default="none: a file per picture", panel=PANEL, metavar="NAME",
    ),
]  # fmt: skip
ShardSize = Annotated[
    int | None,
    numbered(
        "--shard-size", limits=Option(help="Pictures in a shard.", low=1, high=MOST),
        default=f"{SIZE}", panel=PANEL,
    ),
]  # fmt: skip
NumProcesses = Annotated[
    int | None,
    numbered(
        "--num-processes", limits=Option(help="Processes that share the shards.", low=1),
        default="1, or what a launcher says", panel=PANEL,
    ),
]  # fmt: skip
ProcessId = Annotated[
    int | None,
    numbered(
        "--process-id", limits=Option(help="Which of them this is, from 0.", low=0),
        default="0, or what a launcher says", panel=PANEL,
    ),
]  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Shards:
    """A folder that gets shards.

    Attributes:
        folder: of the shards.
        format: ``npz`` or ``tar``.
        size: pictures in a shard.
        share: (process, number of processes).
        force: whether shards that are there are drawn anew.
    """

    folder: Path
    format: str
    size: int
    share: tuple[int, int]
    force: bool

    def draw(self, run: "Run", model: Any, request: Request) -> Path:
        """Draw the shards that are missing and return the folder.

        Raises:
            KgenError: the folder holds something else, or cannot be written.
        """
        from kgen.models import weights_hash
        from kgen.shards import Contents, begin, stream, written
        from kgen_cli.pacing import pacing

        contents = Contents(
            run=run.path.resolve().name, family=run.config.family, weights=weights_hash(run),
            seed=request.seed, sampler=request.options, number=request.number or 0,
            format=self.format, shard_size=self.size, shape=model.image_shape,
        )  # fmt: skip

        def pictures(n: int, start: int, progress: Any) -> Any:
            return model.generate(
                n, seed=request.seed, start=start, progress=progress, **request.options
            )

        begin(self.folder, contents, force=self.force)
        try:
            with pacing() as progress:
                stream(self.folder, contents, pictures, share=self.share, progress=progress)
        except KeyboardInterrupt:
            say_note(
                f"Stopped. {written(self.folder, contents):,} of {contents.number:,} pictures are "
                f"in {self.folder}. The same command{' without --force' if self.force else ''} "
                "goes on from there."
            )
            raise
        return self.folder


def settle(
    format: str | None, out: str | None, mode: str, force: bool, **options: int | None
) -> Shards | None:
    """Settle what the options ask for; None where that is no shards.

    Args:
        format: of the shards, if there are to be any.
        out: what the user named.
        mode: what is drawn.
        force: whether shards that are there are drawn anew.
        **options: shard_size, num_processes and process_id, each None unless given.

    Raises:
        KgenError: the options do not fit together.
    """
    size, processes, process = (
        options[name] for name in ("shard_size", "num_processes", "process_id")
    )
    if format is None:
        for name, value in options.items():
            if value is not None:
                flag = "--" + name.replace("_", "-")
                raise KgenError(
                    f"{flag} goes with --format npz or tar. Received: {flag} {value} without it."
                )
        return None
    if mode != "sample":
        raise KgenError(f"--format is for plain samples. Received: --{mode} --format {format}.")
    if out is None or Path(out).suffix in (".png", ".npz", ".tar") or Path(out).is_file():
        raise KgenError(
            "--format takes a folder for its shards, such as --out pictures/. Received: "
            f"{'no --out' if out is None else '--out ' + out}."
        )
    from kgen.cluster import share as share_of  # here: `kgen --help` needs no sockets

    share = share_of(processes, process, os.environ)
    if force and share[1] > 1:
        raise KgenError(
            "--force is for one process: each would remove what the others have drawn. Received: "
            f"--force in process {share[0]} of {share[1]}. Remove the folder's files first."
        )
    return Shards(folder=Path(out), format=format, size=size or SIZE, share=share, force=force)
