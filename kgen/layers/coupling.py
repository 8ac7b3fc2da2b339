"""An invertible step of a normalising flow."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable(package="kgen")
class Coupling(keras.layers.Layer):
    """Bends a distribution of vectors by a map whose inverse and Jacobian cost no more than itself.

    Some of the numbers of a vector are kept; the others are scaled and shifted by amounts that a
    small network reads off the kept ones:

        y = x                                             where kept
        y = x * exp(s(x_kept)) + t(x_kept)                where moved

    The inverse subtracts and divides the same amounts, and log|det dy/dx| is the sum of s. The
    log-scales are bounded, ``s = tanh(raw)``, and a new layer is the identity. (Bounded by 2, a
    flow of few pictures had next to no density for others: docs/quality.md, section 3.)
    Which numbers are kept is a constant that is multiplied with, so that a device sees products and
    sums only: no slices, no gathers. Computes in float32 whatever the dtype policy.

    Source: Dinh et al. (2017), eq. 7 to 9.

    Args:
        kept: for each number of the vector, whether it is kept.
        width: units of the network's two hidden layers.

    Call arguments:
        x: float (B, len(kept)).

    Raises:
        ValueError: the vectors have another length than `kept`.
    """

    def __init__(self, kept: Sequence[bool], width: int = 128, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)
        self.kept = [bool(k) for k in kept]
        self.width = width
        # Arrays, not tensors: a tensor would become an input of a graph that is traced later.
        self._kept = np.array(self.kept, "float32")
        self._moved = 1.0 - self._kept
        hidden = {"activation": "relu", "kernel_initializer": "he_normal", "dtype": "float32"}
        last = {"kernel_initializer": "zeros", "dtype": "float32"}
        # Names of their own: in a graph of several couplings, these layers lie side by side.
        self.hidden = [layers.Dense(width, name=f"{self.name}_hidden{i}", **hidden) for i in (0, 1)]
        self.log_scale = layers.Dense(len(self.kept), name=f"{self.name}_log_scale", **last)
        self.shift = layers.Dense(len(self.kept), name=f"{self.name}_shift", **last)

    def build(self, input_shape: Any) -> None:
        """Build the network."""
        if input_shape[-1] != len(self.kept):
            raise ValueError(
                f"Coupling takes vectors of {len(self.kept)} numbers, one for each of kept. "
                f"Received: input_shape={tuple(input_shape)}."
            )
        for layer in self.hidden:
            layer.build(input_shape)
            input_shape = (*input_shape[:-1], self.width)
        self.log_scale.build(input_shape)
        self.shift.build(input_shape)
        self.built = True

    def _amounts(self, x: Any, moved: Any) -> tuple[Any, Any]:
        """Return tanh(raw) times `moved`, and the shift, of every number, from those kept."""
        features = ops.multiply(x, self._kept)
        for layer in self.hidden:
            features = layer(features)
        # What is kept is scaled by exp(0) and shifted by 0.
        log_scale = ops.multiply(ops.tanh(self.log_scale(features)), moved)
        return log_scale, ops.multiply(self.shift(features), self._moved)

    def call(self, x: Any) -> Any:
        """Return y, float32 (B, len(kept))."""
        x = ops.cast(x, "float32")
        log_scale, shift = self._amounts(x, self._moved)
        return x * ops.exp(log_scale) + shift

    def inverse(self, y: Any) -> tuple[Any, Any]:
        """Return the x that `y`, float (B, len(kept)), is made of, and log|det dx/dy|, (B,)."""
        y = ops.cast(y, "float32")
        # The sign is in the constant: CoreML has no negation, and LiteRT 1.4 refuses to
        # divide by a number that int8 writes as 0, which need not be one that is 0.
        log_scale, shift = self._amounts(y, -self._moved)
        return (y - shift) * ops.exp(log_scale), ops.sum(log_scale, axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape unchanged."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "kept": self.kept, "width": self.width}
