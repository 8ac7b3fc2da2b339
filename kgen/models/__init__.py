"""The families' models, each written once for every backend."""

import hashlib
import json
import zipfile
import zlib
from pathlib import Path

import keras

from kgen import backend, checkpoint, families
from kgen.errors import KgenError
from kgen.files import replacing
from kgen.models.generative import GenerativeModel
from kgen.run import Run
from kgen.run_config import RunConfig


def build(
    config: RunConfig, image_shape: tuple[int, int, int], ema_decay: float = 0.0
) -> GenerativeModel:
    """Make the model that a configuration describes, with fresh weights.

    Args:
        config: family and its settings.
        image_shape: (height, width, channels) of the pictures.
        ema_decay: decay of the weight average.

    Raises:
        KgenError: the networks cannot have that picture size.
    """
    model_class = families.resolve(families.family(config.family).model)
    return model_class(config.model, image_shape, ema_decay=ema_decay, name=config.family)


def save(model: GenerativeModel, path: Path) -> None:
    """Write a model as one `.keras` file, without its optimizers.

    Raises:
        KgenError: the file cannot be written.
    """
    copy = type(model).from_config(model.get_config())
    for target, source in zip(copy.variables, model.variables, strict=True):
        target.assign(source)
    with replacing(path) as temporary, backend.without_tensorflow():
        copy.save(temporary)


def load(run: Run) -> GenerativeModel:
    """Load a run's model: the finished one, or its newest checkpoint while it is unfinished.

    Raises:
        KgenError: there is neither, or the file is damaged or of another program.
    """
    if run.model_file.is_file():
        return load_file(run.model_file, run.config.family)
    found, _ = checkpoint.newest(run.checkpoints)
    if found is None:
        raise KgenError(
            f"{run.path} has no trained model yet. Train it with: "
            f"kgen train {run.config.family} --run {run.path} --resume"
        )
    model = build(run.config, tuple(found.header["image_shape"]), found.header["ema_decay"])
    checkpoint.restore(model, found)
    return model


def weights_hash(run: Run) -> str:
    """Name what :func:`load` loads by the SHA-256 of its file; empty where there is none.

    Raises:
        KgenError: there are checkpoints, and none is whole.
    """
    path: Path | None = run.model_file
    if not run.model_file.is_file():
        found, _ = checkpoint.newest(run.checkpoints)
        path = None if found is None else found.path
    return "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()


def load_file(path: Path, family: str) -> GenerativeModel:
    """Load a `.keras` file of one family.

    Raises:
        KgenError: it is damaged, or not a model of that family.
    """
    model_class = families.resolve(families.family(family).model)
    found = _class_name(path)
    if found != model_class.__name__:
        raise KgenError(f"{path} takes a {family} model of kgen. Received: {found}. {_REMEDY}")
    try:
        return keras.models.load_model(path, compile=False)
    except (*_DAMAGED, TypeError) as error:
        raise _damaged(path, error) from error


_DAMAGED = (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error)
_REMEDY = "Remove it, and the run's newest checkpoint is used."


def _class_name(path: Path) -> str:
    """Read which class a `.keras` file is of: Keras itself imports what it finds, or fails."""
    try:
        with zipfile.ZipFile(path) as archive:
            return str(json.loads(archive.read("config.json"))["class_name"])
    except (*_DAMAGED, TypeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> KgenError:
    """Make the error for a file that is not a whole model."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    return KgenError(f"{path} is not a whole Keras model file: {reason}. {_REMEDY}")
