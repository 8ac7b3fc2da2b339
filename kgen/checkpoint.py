"""Everything a run needs to go on as if it had never stopped, in one file.

A checkpoint is an uncompressed `.npz` of plain arrays (no pickles): the model's variables in
order, among them the weight averages and the states of the seed generators, then the optimizers'
variables, and a JSON header. Backends agree on that order, so that a run begun on one resumes on
another.
"""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kgen.errors import KgenError
from kgen.files import replacing

if TYPE_CHECKING:
    import keras

FORMAT = "kgen-checkpoint-1"
KEPT = 2
"""Checkpoints kept: the newest, and the one before should the newest turn out broken."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """A checkpoint read from its file: header and arrays in the order of :func:`variables`."""

    path: Path
    header: dict[str, Any]
    arrays: list[np.ndarray]

    @property
    def step(self) -> int:
        """Number of training steps done."""
        return int(self.header["step"])


def variables(model: Any) -> "list[keras.Variable]":
    """List what a checkpoint holds: the model's variables, then its optimizers'."""
    optimizer = getattr(model, "optimizer", None)
    return _own_variables(model) + (list(optimizer.variables) if optimizer is not None else [])


def _own_variables(model: Any) -> "list[keras.Variable]":
    """List the model's variables without those of its metrics, which start anew each epoch."""
    metrics = {id(variable) for variable in model.metrics_variables}
    return [variable for variable in model.variables if id(variable) not in metrics]


def save(folder: Path, model: Any, header: Mapping[str, Any]) -> Path:
    """Write a checkpoint of the model into `folder`, then drop all but the newest two.

    Args:
        folder: made if it does not exist.
        model: compiled; its variables must be up to date.
        header: JSON-ready facts, `step` among them.

    Raises:
        KgenError: the file cannot be written; earlier checkpoints are untouched.
    """
    import keras  # here: checkpoints are listed and read without it

    listed = variables(model)
    full = {
        **header,
        "format": FORMAT,
        "model_variables": len(_own_variables(model)),
        "paths": [variable.path for variable in listed],
    }
    arrays = {
        f"v{index:05d}": keras.ops.convert_to_numpy(variable)
        for index, variable in enumerate(listed)
    }
    path = folder / f"step-{header['step']:09d}.npz"
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, header=np.frombuffer(json.dumps(full).encode(), np.uint8), **arrays)
    for old in paths(folder)[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def paths(folder: Path) -> list[Path]:
    """List the checkpoint files in a folder, oldest first."""
    return sorted(folder.glob("step-*.npz"))


def read(path: Path) -> Checkpoint:
    """Read a checkpoint file whole.

    Raises:
        KgenError: it is truncated, damaged, or not a checkpoint of kgen.
    """
    try:
        # An open file, since np.load leaves one behind that it opened and could not read.
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            header = json.loads(bytes(file["header"]))
            names = sorted(name for name in file.files if name != "header")
            arrays = [file[name] for name in names]
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise KgenError(f"{path} is not a whole checkpoint: {error}.") from error
    if header.get("format") != FORMAT or len(arrays) != len(header.get("paths", ())):
        raise KgenError(
            f"{path} is not a checkpoint that this kgen reads ({FORMAT}). "
            f"Received: format={header.get('format')!r}."
        )
    return Checkpoint(path=path, header=header, arrays=arrays)


def newest(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """Read the newest whole checkpoint of a folder.

    Returns:
        The checkpoint, or None where there is no file at all; and a line about each newer file
        that had to be passed over.

    Raises:
        KgenError: there are files, and none is whole.
    """
    problems: list[str] = []
    for path in reversed(paths(folder)):
        try:
            return read(path), problems
        except KgenError as error:
            problems.append(str(error))
    if problems:
        raise KgenError(f"No checkpoint in {folder} can be read. {' '.join(problems)}")
    return None, problems


def restore(model: Any, checkpoint: Checkpoint) -> None:
    """Set the model's and its optimizers' variables to a checkpoint's.

    A model that is not compiled takes its own variables and leaves the optimizers' in the file.

    Raises:
        KgenError: the checkpoint is of another model; nothing is changed then.
    """
    listed, arrays, paths = variables(model), checkpoint.arrays, checkpoint.header["paths"]
    if getattr(model, "optimizer", None) is None:
        own = checkpoint.header["model_variables"]
        arrays, paths = arrays[:own], paths[:own]
    if len(listed) != len(arrays):
        raise KgenError(
            f"{checkpoint.path} is of another model or optimizer: it holds {len(arrays)} arrays, "
            f"{len(listed)} are expected. Resume with the run's own configuration."
        )
    for variable, array, path in zip(listed, arrays, paths, strict=True):
        if tuple(variable.shape) != array.shape:
            raise KgenError(
                f"{checkpoint.path} is of another model: {variable.path} has shape "
                f"{tuple(variable.shape)}, the file's {path} has {array.shape}. "
                "Resume with the run's own configuration."
            )
    for variable, array in zip(listed, arrays, strict=True):
        variable.assign(array)
