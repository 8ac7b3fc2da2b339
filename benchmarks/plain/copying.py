"""Weights of Keras's layers, in PyTorch's order of axes.

Pictures are (batch, height, width, channels) there and (batch, channels, height, width) here, and
blocks of pixels lie in the channels as (pixel, channel) there and (channel, pixel) here.
"""

from typing import Any

import keras
import numpy as np
import torch


def weights(network: Any, name: str) -> list[torch.Tensor]:
    """Read the weights of a layer of a Keras network, by its name."""
    arrays = [keras.ops.convert_to_numpy(w) for w in network.get_layer(name).weights]
    return [torch.from_numpy(np.array(array)) for array in arrays]


@torch.no_grad()
def fill(layer: Any, weight: torch.Tensor, bias: list[torch.Tensor]) -> None:
    """Copy a weight, and a bias where there is one, into a layer; the shapes must be equal."""
    for into, value in zip(
        [layer.weight, layer.bias][: 1 + len(bias)], [weight, *bias], strict=True
    ):
        if into.shape != value.shape:
            raise ValueError(f"Expected {tuple(into.shape)}. Received: {tuple(value.shape)}.")
        into.copy_(value)


def copy(layer: Any, network: Any, name: str) -> None:
    """Copy a dense layer, a convolution, or the scale and shift of a norm."""
    kernel, *bias = weights(network, name)
    fill(layer, _turned(kernel), bias)


def copy_pointwise(layer: Any, network: Any, name: str) -> None:
    """Copy a dense layer on pixels into a 1x1 convolution."""
    kernel, *bias = weights(network, name)
    fill(layer, kernel.T[:, :, None, None], bias)


def copy_shuffled(layer: Any, network: Any, name: str, block: int = 2) -> None:
    """Copy what comes before blocks of pixels become pixels, into a convolution."""
    kernel, bias = weights(network, name)
    turned = _turned(kernel)
    turned = turned if turned.ndim == 4 else turned[:, :, None, None]
    fill(layer, _shuffled(turned, block), [_shuffled(bias, block)])


def copy_unshuffled(layer: Any, network: Any, name: str, block: int) -> None:
    """Copy the convolution that comes after pixels became blocks of pixels."""
    kernel, *bias = weights(network, name)
    inputs = _turned(kernel).transpose(0, 1)
    fill(layer, _shuffled(inputs, block).transpose(0, 1), bias)


def copy_strided(layer: Any, network: Any, name: str) -> None:
    """Copy a dense layer on blocks of 2x2 pixels into a 2x2 convolution of stride 2."""
    kernel, *bias = weights(network, name)
    fill(layer, _turned(kernel.unflatten(0, (2, 2, -1))), bias)


def copy_to_picture(layer: Any, network: Any, name: str, small: tuple[int, int, int]) -> None:
    """Copy a dense layer whose outputs become a picture (channels, height, width)."""
    channels, height, width = small
    kernel, *bias = weights(network, name)
    grid = kernel.T.unflatten(0, (height, width, channels))
    moved = [b.unflatten(0, (height, width, channels)).permute(2, 0, 1).flatten() for b in bias]
    fill(layer, grid.permute(2, 0, 1, 3).flatten(0, 2), moved)


def of_picture(kernel: torch.Tensor, small: tuple[int, int, int]) -> torch.Tensor:
    """Turn the kernel of a dense layer that reads a picture (channels, height, width)."""
    channels, height, width = small
    grid = kernel.unflatten(0, (height, width, channels))
    return grid.permute(3, 2, 0, 1).flatten(1)


def _turned(kernel: torch.Tensor) -> torch.Tensor:
    """Put the outputs first, then the inputs; a vector stays."""
    return (
        kernel.permute(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T if kernel.ndim == 2 else kernel
    )


def _shuffled(channels: torch.Tensor, block: int) -> torch.Tensor:
    """Reorder the first axis from (pixel of the block, channel) to (channel, pixel)."""
    return channels.unflatten(0, (block * block, -1)).transpose(0, 1).flatten(0, 1)
