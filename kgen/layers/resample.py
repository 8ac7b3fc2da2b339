"""Change of resolution without arithmetic: blocks of pixels become channels, and back.

With a 1x1 convolution after :class:`SpaceToDepth` one gets a 2x2 convolution of stride 2, with one
before :class:`DepthToSpace` its transpose (Shi et al. 2016, sub-pixel convolution). Both are plain
matrix products, which every backend and every device does fast, gradients included: XLA's gradient
of a strided transposed convolution is several times slower on a CPU.
"""

from typing import Any

import keras
from keras import ops


class _Blocks(keras.layers.Layer):
    """What both directions share: the block's side."""

    def __init__(self, block: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        if block < 2:
            raise ValueError(f"A block has two pixels a side or more. Received: block={block}.")
        self.block = block

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "block": self.block}


@keras.saving.register_keras_serializable(package="kgen")
class SpaceToDepth(_Blocks):
    """Halves a picture's sides (for `block` 2) and keeps every number: pixels become channels.

    ``y[b, i, j, (m * block + n) * channels + k] = x[b, i * block + m, j * block + n, k]``

    Args:
        block: pixels on a side of the block that becomes one pixel, at least 2.

    Call arguments:
        x: (batch, height, width, channels); `block` divides height and width.

    Raises:
        ValueError: it does not.
    """

    def build(self, input_shape: Any) -> None:
        """Check that the picture divides into blocks."""
        _, height, width, _ = input_shape
        if height % self.block or width % self.block:
            raise ValueError(
                "SpaceToDepth takes a picture whose sides its block divides. "
                f"Received: height={height}, width={width}, block={self.block}."
            )
        self.built = True

    def call(self, x: Any) -> Any:
        """Return (batch, height / block, width / block, channels * block^2)."""
        return ops.space_to_depth(x, self.block)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return the shape with smaller sides and more channels."""
        batch, height, width, channels = input_shape
        side = self.block
        return batch, height // side, width // side, channels * side * side


@keras.saving.register_keras_serializable(package="kgen")
class DepthToSpace(_Blocks):
    """Doubles a picture's sides (for `block` 2) from its channels; undoes :class:`SpaceToDepth`.

    ``y[b, i * block + m, j * block + n, k] = x[b, i, j, (m * block + n) * channels + k]``

    Args:
        block: pixels on a side of the block that one pixel becomes, at least 2.

    Call arguments:
        x: (batch, height, width, channels * block^2).

    Raises:
        ValueError: the number of channels has no factor block^2.
    """

    def build(self, input_shape: Any) -> None:
        """Check that the channels fill a block."""
        if input_shape[-1] % (self.block * self.block):
            raise ValueError(
                "DepthToSpace takes a number of channels that block^2 divides. "
                f"Received: channels={input_shape[-1]}, block={self.block}."
            )
        self.built = True

    def call(self, x: Any) -> Any:
        """Return (batch, height * block, width * block, channels)."""
        return ops.depth_to_space(x, self.block)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return the shape with larger sides and fewer channels."""
        batch, height, width, channels = input_shape
        side = self.block
        return batch, height * side, width * side, channels // (side * side)
