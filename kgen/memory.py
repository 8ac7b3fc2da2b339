"""How much memory a training takes, said before it begins."""

import math

import keras

from kgen import checkpoint
from kgen.models.generative import GenerativeModel
from kgen.muon import matrices
from kgen.step import engine


def training_bytes(model: GenerativeModel, batch_size: int, *, on_cpu: bool) -> int:
    """Estimate the peak of what training adds to a process that has its backend and its data.

    Within 25 % of the peaks that ``benchmarks/memory.py`` measured on a CPU, where it counts main
    memory without the files of libraries: those are mapped, and the system takes them back at need.
    Elsewhere it counts the device's, and was not compared with anything.

    Args:
        model: compiled; its `accumulate` says how much of a batch is computed at a time.
        batch_size: pictures in a step.
        on_cpu: whether the computing is done in main memory, where graphs and compilers are, too.
    """
    # Variables, among them averages and the optimizers' moments, and a gradient: 4 bytes each.
    stored = [*checkpoint.variables(model), *model.trainable_variables]
    total = sum(4 * math.prod(variable.shape) for variable in stored)
    # The whole batch, and its noise, as float32. In parts they are laid out anew, and the gradients
    # of the parts are summed up.
    batch = 2 * 4 * batch_size * math.prod(model.image_shape)
    total += batch
    if model.accumulate > 1:
        total += batch + sum(4 * math.prod(v.shape) for v in model.trainable_variables)
    footprint = engine().FOOTPRINT
    networks = model.trained_parts.values()
    outputs = sum(output_bytes(network) for network in networks)
    total += int(footprint.activations * outputs * batch_size / model.accumulate)
    if on_cpu:
        graph = footprint.layer * sum(len(n.layers) for n in networks)
        if _is_halved(model, batch_size):
            graph = int((1 + footprint.half) * graph)
        total += footprint.program + graph
        total += footprint.matrix * sum(map(matrices, model.optimizer.members.values()))
    return total


def _is_halved(model: GenerativeModel, batch_size: int) -> bool:
    """Tell whether a step computes two halves of a batch at the same time."""
    independent = all(objective.independent for objective in model.objectives(training=True))
    even = batch_size % 2 == 0 and model.accumulate == 1
    return even and independent and engine().two_at_a_time()


_VIEWS = (keras.layers.InputLayer, keras.layers.Reshape, keras.layers.Flatten)
"""Layers whose output lies in the memory of another's."""


def output_bytes(network: keras.Model) -> int:
    """Sum the bytes of every layer's output for one picture; a view takes none."""
    makers = [layer for layer in network.layers if not isinstance(layer, _VIEWS)]
    outputs = [o for layer in makers for o in keras.tree.flatten(layer.output)]
    return sum(math.prod(o.shape[1:]) * (2 if "16" in o.dtype else 4) for o in outputs)


def resident_bytes() -> int:
    """Return the main memory that this process has now."""
    import psutil

    return psutil.Process().memory_info().rss
