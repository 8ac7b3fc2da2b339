"""The halves of a batch, computed at the same time.

Small networks have operations that are too short to be divided among the cores of a CPU. Two cores
trained a DDPM 1.1 times as fast as one by whole batches, and 1.7 times by halves (docs/speed.md).
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops


def is_even(batch: Any) -> bool:
    """Tell whether a tensor has halves: a known and even number of rows."""
    rows = batch.shape[0]
    return rows is not None and rows % 2 == 0


def in_halves(function: Callable[..., Any], pays: Callable[[], bool]) -> Callable[..., Any]:
    """Make a function of tensors of n rows that makes them by halves, where there are any.

    Args:
        function: from tensors of n rows to tensors of n rows, each row by itself, in any structure.
        pays: tells whether the halves would be computed at the same time; asked at each tracing.
    """

    def halved(*tensors: Any) -> Any:
        if not (is_even(tensors[0]) and pays()):
            return function(*tensors)
        rows = tensors[0].shape[0]
        halves = slice(rows // 2), slice(rows // 2, rows)
        made = [function(*(tensor[half] for tensor in tensors)) for half in halves]
        return keras.tree.map_structure(lambda *parts: ops.concatenate(parts, axis=0), *made)

    return halved
