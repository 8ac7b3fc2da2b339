"""The families' models, each written once for every backend."""

from pathlib import Path

import keras

from kgen import checkpoint, families
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
    with replacing(path) as temporary:
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


def load_file(path: Path, family: str) -> GenerativeModel:
    """Load a `.keras` file of one family.

    Raises:
        KgenError: it is damaged, or not a model of that family.
    """
    model_class = families.resolve(families.family(family).model)
    try:
        model = keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise KgenError(f"{path} is not a whole Keras model file: {_first_line(error)}") from error
    if not isinstance(model, model_class):
        raise KgenError(f"{path} takes a {family} model of kgen. Received: {type(model).__name__}.")
    return model


def _first_line(error: Exception) -> str:
    """Return the first line of an error's text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
