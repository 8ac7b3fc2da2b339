"""What every layer of a part makes of an input: to find where a file goes wrong, and its peaks.

Runs on Keras with the TensorFlow backend, in the process that converts.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

Inputs = dict[str, np.ndarray]
Seen = Callable[[str, np.ndarray], None]

MAX_BYTES = 64 * 2**20
"""Most bytes of one part's activations that are kept; a picture of 28x28 makes about 1 MB."""


def activations(model: keras.Model, inputs: Inputs) -> dict[str, np.ndarray]:
    """Return what every layer puts out, to be compared with what a file computes.

    Args:
        model: of a part, called with the list of its inputs (one input: the tensor itself).
        inputs: by name, in the order of the model's; one or two pictures, for each costs memory.

    Returns:
        Output by the layer's name, float32, in the order in which the layers run; layers of
        networks inside of the model are listed in their network's place. Empty where all
        together have more than `MAX_BYTES`.
    """
    kept: dict[str, np.ndarray] = {}
    size = 0

    def keep(name: str, output: np.ndarray) -> None:
        nonlocal size
        size += output.nbytes
        if size <= MAX_BYTES:
            kept[name] = output

    _run(model, inputs, keep)
    return kept if size <= MAX_BYTES else {}


def peaks(model: keras.Model, inputs: Inputs) -> dict[str, float]:
    """Return the largest absolute value that each layer puts out: does it fit into float16?

    Args:
        model: as for :func:`activations`.
        inputs: by name, any number of pictures; only one layer's output is held at a time.
    """
    found: dict[str, float] = {}

    def note(name: str, output: np.ndarray) -> None:
        found[name] = float(np.abs(output).max())

    _run(model, inputs, note)
    # Four digits are plenty, and these numbers are embedded in every file.
    return {name: float(f"{peak:.4g}") for name, peak in found.items()}


def _run(model: keras.Model, inputs: Inputs, seen: Seen) -> None:
    """Run a model eagerly and tell `seen` every layer's output."""
    tensors = [ops.convert_to_tensor(array) for array in inputs.values()]
    with _watched(_leaves(model), seen):
        model(tensors if len(tensors) > 1 else tensors[0], training=False)


def _leaves(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yield the layers of a model and of the models inside of it."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            yield layer


@contextmanager
def _watched(layers: Iterator[keras.layers.Layer], seen: Seen) -> Iterator[None]:
    """Have layers tell what they put out, for as long as this lasts.

    A model with all of these tensors as outputs would not do: the tensors inside of a network
    belong to the call that built it, not to the call by the model around it.
    """
    watched = list(layers)
    for layer in watched:
        layer.call = partial(_call, layer.call, layer.name, seen)
    try:
        yield
    finally:
        for layer in watched:
            del layer.call


def _call(call: Callable[..., Any], name: str, seen: Seen, *args: Any, **kwargs: Any) -> Any:
    """Call a layer and tell its output, where that is one tensor."""
    output = call(*args, **kwargs)
    if not isinstance(output, dict | list | tuple):
        seen(name, np.asarray(ops.convert_to_numpy(output), np.float32))
    return output
