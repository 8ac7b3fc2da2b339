"""Where drawn pictures go: one picture, a folder of pictures, or arrays; never over a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kgen.errors import KgenError

if TYPE_CHECKING:
    from kgen_cli.drawing import Drawing

GIF_FPS = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Destination:
    """A place that was free when it was chosen.

    Attributes:
        kind: ``png``, ``npz`` or ``folder``.
        path: the file or folder.
    """

    kind: str
    path: Path

    def write(self, drawing: "Drawing") -> list[Path]:
        """Write a drawing and return what was written.

        Raises:
            KgenError: it cannot be written.
        """
        from kgen import pictures

        if self.kind == "npz":
            pictures.save_npz(self.path, drawing.images, **drawing.arrays)
            return [self.path]
        if self.kind == "folder":
            pictures.save_files(self.path, drawing.images)
            if drawing.frames is None:
                return [self.path]
            return [self.path, *_write_frames(self.path / "trajectory.png", drawing)]
        if drawing.frames is not None:
            return _write_frames(self.path, drawing)
        layout = drawing.images if drawing.layout is None else drawing.layout
        pictures.save_png(self.path, pictures.grid(layout, columns=drawing.columns))
        return [self.path]


def choose(
    out: str | None, samples: Path, default_name: str, mode: str, force: bool
) -> Destination:
    """Choose where a drawing goes, before any time is spent on it.

    Args:
        out: what the user asked for; None for a free name in `samples`.
        samples: folder of the run's pictures.
        default_name: name of the file in it, without suffix.
        mode: what is drawn; a trajectory is two files.
        force: whether files may be replaced.

    Raises:
        KgenError: the suffix says nothing, or something is there already.
    """
    if out is None:
        path, copy = samples / f"{default_name}.png", 2
        while any(file.exists() for file in _files("png", path, mode)):
            path, copy = samples / f"{default_name}-{copy}.png", copy + 1
        return Destination(kind="png", path=path)
    path = Path(out)
    kind = _kind(out, path)
    if kind == "folder":
        taken = [path] if path.is_dir() and any(path.iterdir()) else []
    else:
        taken = [file for file in _files(kind, path, mode) if file.exists()]
    if taken and not force:
        what = "is not empty" if kind == "folder" else "is there already"
        raise KgenError(f"{taken[0]} {what}. Give another --out, or --force to write over it.")
    return Destination(kind=kind, path=path)


def _kind(out: str, path: Path) -> str:
    """Tell from its name what the output is to be."""
    if path.is_dir() or out.endswith(("/", "\\")):
        return "folder"
    kinds = {".png": "png", ".npz": "npz", "": "folder"}
    if path.suffix.lower() not in kinds:
        raise KgenError(
            "--out takes something.png (one grid), something.npz (arrays) or a folder (a file per "
            f"picture). Received: {out}."
        )
    if path.suffix == "" and path.exists():
        raise KgenError(f"--out {out} is a file, not a folder. Give another.")
    return kinds[path.suffix.lower()]


def _files(kind: str, path: Path, mode: str) -> list[Path]:
    """List the files that will be written."""
    pair = kind == "png" and mode == "trajectory"
    return [path, path.with_suffix(".gif")] if pair else [path]


def _write_frames(path: Path, drawing: "Drawing") -> list[Path]:
    """Write frames as a strip and, beside it, as an animation."""
    import numpy as np

    from kgen import pictures
    from kgen_cli.drawing import STRIP_FRAMES

    frames = drawing.frames
    if frames is None:
        raise TypeError("There are no frames to write.")
    chosen = np.linspace(0, len(frames) - 1, min(STRIP_FRAMES, len(frames))).round().astype(int)
    pictures.save_png(path, pictures.strip(frames[chosen]))
    animation = path.with_suffix(".gif")
    pictures.save_gif(animation, frames, fps=GIF_FPS)
    return [path, animation]
