"""Attention between the pixels of one small picture."""

import math
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kgen")
class SelfAttention2D(keras.layers.Layer):
    """Lets every pixel look at every other: how far parts of a picture come to agree.

    ``softmax(q k^T / sqrt(d)) v`` over the height * width pixels, in `num_heads` heads of
    d = channels / num_heads each (Vaswani et al. 2017, eq. 1; on pictures as in Ho et al. 2020,
    section 4), then a linear map of all heads. That last map starts at zero, so that a network
    with ``x + SelfAttention2D(x)`` starts without attention and learns to use it.

    No tensor has rank above 4; the softmax is float32 under every dtype policy. Memory grows
    with (height * width)^2: use it where the picture is smallest.

    Args:
        num_heads: divides the number of channels.

    Call arguments:
        x: float (batch, height, width, channels).

    Raises:
        ValueError: the channels do not divide into the heads.
    """

    def __init__(self, num_heads: int = 4, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_heads = num_heads

    def build(self, input_shape: Any) -> None:
        """Make the maps to q, k and v (one product) and from the heads to the output."""
        channels = input_shape[-1]
        if channels % self.num_heads:
            raise ValueError(
                "SelfAttention2D takes a number of channels that its heads divide. "
                f"Received: channels={channels}, num_heads={self.num_heads}."
            )
        self.qkv = keras.layers.Dense(3 * channels, name="qkv", dtype=self.dtype_policy)
        self.out = keras.layers.Dense(
            channels, kernel_initializer="zeros", name="out", dtype=self.dtype_policy
        )
        pixels = (None, input_shape[1] * input_shape[2], channels)
        self.qkv.build(pixels)
        self.out.build(pixels)
        self.built = True

    def call(self, x: Any) -> Any:
        """Return what each pixel gathered, of the shape of `x`."""
        _, height, width, channels = x.shape
        pixels, size = height * width, channels // self.num_heads
        parts: Any = ops.split(self.qkv(ops.reshape(x, (-1, pixels, channels))), 3, axis=-1)
        heads: list[Any] = [
            ops.transpose(ops.reshape(part, (-1, pixels, self.num_heads, size)), (0, 2, 1, 3))
            for part in parts
        ]
        q, k, v = heads  # (batch, heads, pixels, size)
        scores = ops.matmul(q * (1.0 / math.sqrt(size)), ops.transpose(k, (0, 1, 3, 2)))
        weights = ops.softmax(ops.cast(scores, "float32"), axis=-1)
        gathered = ops.matmul(ops.cast(weights, self.compute_dtype), v)
        gathered = ops.reshape(ops.transpose(gathered, (0, 2, 1, 3)), (-1, pixels, channels))
        return ops.reshape(self.out(gathered), (-1, height, width, channels))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape unchanged."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "num_heads": self.num_heads}
