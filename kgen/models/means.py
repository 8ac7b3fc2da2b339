"""The means of a step's scalars over an epoch."""

from typing import Any

import keras
from keras import ops

from kgen.step.objective import Logs


class Means(keras.metrics.Metric):
    """Running means of several scalars, as one metric: Keras's own take ten operations a scalar.

    Args:
        names: of the scalars, in the order in which :meth:`update_state` gets them.
    """

    def __init__(self, names: tuple[str, ...]):
        super().__init__(name="means", dtype="float32")
        self.names = names
        self.total = self.add_variable((len(names),), keras.initializers.Zeros(), name="total")
        self.count = self.add_variable((), keras.initializers.Zeros(), name="count")

    def update_state(self, values: Any) -> None:
        """Add one step's values, float32 (number of names,)."""
        self.total.assign(self.total + values)
        self.count.assign(self.count + 1.0)

    def result(self) -> Logs:
        """Return the means since the last reset by name, float32 scalars; 0 before any step."""
        means = self.total / ops.maximum(self.count, 1.0)
        return dict(zip(self.names, ops.unstack(means, len(self.names)), strict=True))
