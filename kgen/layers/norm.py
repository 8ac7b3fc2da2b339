"""Normalisation that phones can run and that is cheap to train."""

from typing import Any

import keras
from keras import ops

from kgen.step import engine


@keras.saving.register_keras_serializable(package="kgen")
class GroupNorm(keras.layers.Layer):
    """Keeps activations at unit scale within groups of channels, whatever the batch size.

    ``y = (x - mu_g) / sqrt(var_g + epsilon) * gamma + beta``, with mean and variance over the
    picture and the channels of one group (Wu & He 2018, eq. 1 and 7), optionally followed by
    ``y * (1 + scale) + shift`` with one scale and shift per picture and channel, the adaptive
    form that conditions a network on its timestep (Dhariwal & Nichol 2021, section 3 "AdaGN").

    All of it is computed as one affine map per channel, ``a * x + c``: the picture is read for
    its moments, read once more for the map, and never reshaped. So no tensor has rank above 4
    (Keras's own layer makes rank 5, which mobile GPUs refuse), the adaptive form costs nothing
    more, and training is faster than with the subtract-divide-multiply-add chain. Where the backend
    has a faster kernel (:mod:`kgen.step`), that does the same.

    Statistics and map are float32 under every dtype policy. The variance is E[x^2] - E[x]^2,
    cut off at 0; its error, about 1e-7 E[x]^2, is below `epsilon` while abs(mean) < 10.

    Args:
        groups: number of groups; divides the number of channels.
        epsilon: added to the variance.

    Call arguments:
        x: float (batch, height, width, channels).
        modulation: None, or float (batch, 2 * channels): scale, then shift; 0 for no change.

    Raises:
        ValueError: the channels do not divide into the groups.
    """

    gamma: Any
    beta: Any

    def __init__(self, groups: int = 8, epsilon: float = 1e-5, **kwargs: Any):
        super().__init__(**kwargs)
        self.groups = groups
        self.epsilon = epsilon

    def build(self, input_shape: Any, **_: Any) -> None:
        """Make gamma (ones) and beta (zeros), float32 (channels,)."""
        channels = input_shape[-1]
        if channels % self.groups:
            raise ValueError(
                "GroupNorm takes a number of channels that its groups divide. "
                f"Received: channels={channels}, groups={self.groups}."
            )
        # autocast=False: under a mixed policy these would reach `call` rounded to 16 bits.
        self.gamma = self.add_weight(
            name="gamma", shape=(channels,), initializer="ones", autocast=False
        )
        self.beta = self.add_weight(
            name="beta", shape=(channels,), initializer="zeros", autocast=False
        )
        self.built = True

    def call(self, x: Any, modulation: Any = None) -> Any:
        """Normalise `x`; returns the same shape in the layer's compute dtype."""
        # Before modulation, what a kernel writes is rounded to the dtype of what it reads.
        y = self._by_kernel(x if modulation is None else ops.cast(x, "float32"))
        if y is None:
            y = self._by_formula(x, modulation)
        elif modulation is not None:
            scale, shift = self._per_channel(modulation)
            y = y * (1.0 + scale[:, None, None]) + shift[:, None, None]
        return ops.cast(y, self.compute_dtype)

    def _by_kernel(self, x: Any) -> Any:
        """Normalise by a kernel of the backend; None where it has none."""
        weights = ops.convert_to_tensor(self.gamma), ops.convert_to_tensor(self.beta)
        return engine().group_norm(x, *weights, self.groups, self.epsilon)

    @staticmethod
    def _per_channel(modulation: Any) -> Any:
        """Read scale and shift, float32 (batch, channels) each."""
        return ops.split(ops.cast(modulation, "float32"), 2, axis=-1)

    def _by_formula(self, x: Any, modulation: Any) -> Any:
        """Normalise by one affine map per channel; float32."""
        channels = x.shape[-1]
        grouped = (-1, self.groups, channels // self.groups)
        x = ops.cast(x, "float32")
        mean = self._group_mean(ops.mean(x, axis=(1, 2)), grouped)  # (batch, groups, 1)
        mean_square = self._group_mean(ops.mean(x * x, axis=(1, 2)), grouped)
        variance: Any = ops.maximum(mean_square - mean * mean, 0.0)
        # gamma / sqrt(...), not gamma * rsqrt(...): some phones have no reciprocal.
        gamma: Any = ops.reshape(self.gamma, grouped)
        a: Any = gamma / ops.sqrt(variance + self.epsilon)
        c: Any = ops.reshape(self.beta, grouped) - mean * a
        a, c = ops.reshape(a, (-1, channels)), ops.reshape(c, (-1, channels))
        if modulation is not None:
            scale, shift = self._per_channel(modulation)
            a, c = a * (1.0 + scale), c * (1.0 + scale) + shift
        a, c = ops.reshape(a, (-1, 1, 1, channels)), ops.reshape(c, (-1, 1, 1, channels))
        return a * x + c

    @staticmethod
    def _group_mean(per_channel: Any, grouped: tuple[int, int, int]) -> Any:
        """Average (batch, channels) within groups: (batch, groups, 1)."""
        return ops.mean(ops.reshape(per_channel, grouped), axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape: Any, **_: Any) -> Any:
        """Return the shape unchanged."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "groups": self.groups, "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="kgen")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's layer, its state and its numbers, by a kernel of the backend where there is one.

    ``y = (x - mu) / sqrt(var + epsilon) * gamma + beta``, with the mean and the variance of each
    channel over the batch, in training, and with their running averages otherwise (Ioffe & Szegedy
    2015, algorithms 1 and 2). Keras composes that of a dozen passes over the pictures and their
    gradients, a kernel takes five. What is exported does not differ: a kernel is for training only.
    Files of weights name layers by their classes, so that this one reads what Keras's has written.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise; returns the same shape in the layer's compute dtype."""
        found = self._by_kernel(inputs) if training and self.trainable and mask is None else None
        if found is None:
            return super().call(inputs, training=training, mask=mask)
        y, mean, variance = found
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(average * self.momentum + value * (1.0 - self.momentum))
        return ops.cast(y, self.compute_dtype)

    def _by_kernel(self, x: Any) -> Any:
        """Normalise by a kernel of the backend: y, mean and variance; None where it has none."""
        if not (self.scale and self.center and self.axis == -1) or self.renorm or self.synchronized:
            return None
        weights = ops.convert_to_tensor(self.gamma), ops.convert_to_tensor(self.beta)
        return engine().batch_norm(ops.cast(x, "float32"), *weights, self.epsilon)
