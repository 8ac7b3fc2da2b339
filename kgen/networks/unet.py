"""The U-Net of diffusion models (Ho et al. 2020, appendix B), made small and cheap.

Differences from the paper's, each for speed on small machines: it reads and writes patches of
pixels (Luhman & Luhman 2022), so that the heavy work is at half the resolution; it changes
resolution by sub-pixels; and the timestep scales and shifts the second norm of a block (Dhariwal &
Nichol 2021, AdaGN), which :class:`kgen.layers.norm.GroupNorm` does for free.
"""

import math
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from kgen.errors import KgenError
from kgen.layers.attention import SelfAttention2D
from kgen.layers.norm import GroupNorm
from kgen.layers.resample import DepthToSpace, SpaceToDepth
from kgen.layers.time_embedding import TimeEmbedding
from kgen.networks import blocks


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """What the U-Net looks like besides its widths; see `build_denoiser`."""

    patch_size: int = 2
    num_blocks: int = 1
    num_heads: int = 4


def denoiser(
    image_shape: tuple[int, int, int],
    widths: tuple[int, ...],
    shape: Shape,
    num_classes: int | None,
    name: str,
) -> keras.Model:
    """Build the U-Net: see `build_denoiser`."""
    widths = widths or (32, *[64] * (blocks.halvings(image_shape) - 1))
    _check(image_shape, widths, shape)
    inputs = {
        "xt": blocks.image_input(image_shape, name="xt"),
        "t": keras.Input((), dtype="int32", name="t"),
    }
    condition = _condition(inputs, 4 * widths[0], num_classes)
    x = inputs["xt"]
    if shape.patch_size > 1:
        x = SpaceToDepth(shape.patch_size, name="patches")(x)
    x = _conv3(x, widths[0], "stem")
    skips = []
    for i, width in enumerate(widths):
        for j in range(shape.num_blocks):
            x = _residual(x, condition, width, f"down{i}_block{j}")
            skips.append(x)
        if i < len(widths) - 1:
            x = SpaceToDepth(2, name=f"down{i}_blocks")(x)
            x = layers.Dense(widths[i + 1], kernel_initializer=blocks.HE, name=f"down{i}_proj")(x)
    x = _attention(x, shape.num_heads, "middle_attention")
    for i, width in reversed(list(enumerate(widths))):
        for j in range(shape.num_blocks):
            x = layers.Concatenate(name=f"up{i}_block{j}_skip")([x, skips.pop()])
            x = _residual(x, condition, width, f"up{i}_block{j}")
        if i > 0:
            x = blocks.upsample(x, widths[i - 1], f"up{i}")
    return keras.Model(inputs, _head(x, image_shape, shape.patch_size), name=name)


def _check(image_shape: tuple[int, int, int], widths: tuple[int, ...], shape: Shape) -> None:
    """Check that patches and levels fit the picture, and heads the channels."""
    step = shape.patch_size * 2 ** (len(widths) - 1)
    height, width, _ = image_shape
    if height % step or width % step:
        raise KgenError(
            f"A denoiser with patch_size={shape.patch_size} and {len(widths)} widths takes "
            f"pictures with sides that are multiples of {step}. Received: height={height}, "
            f"width={width}. Give it fewer widths, or set the image size to "
            f"{max(step, round(height / step) * step)}."
        )
    if widths[-1] % shape.num_heads:
        raise KgenError(
            "A denoiser takes a last width that num_heads divides. "
            f"Received: widths={widths}, num_heads={shape.num_heads}."
        )


def _condition(inputs: dict[str, Any], dim: int, num_classes: int | None) -> Any:
    """Turn the timestep (and the class) into a vector that every block reads, (batch, dim)."""
    x = TimeEmbedding(dim, name="time_embedding")(inputs["t"])
    x = layers.Dense(dim, activation="silu", name="time_hidden")(x)
    x = layers.Dense(dim, name="time_output")(x)
    if num_classes is not None:
        inputs["label"] = blocks.label_input()
        vector = blocks.class_vector(inputs["label"], num_classes, dim)
        x = layers.Add(name="time_class")([x, vector])
    return layers.Activation("silu", name="time_act")(x)


def _residual(x: Any, condition: Any, channels: int, name: str) -> Any:
    """Add to `x` what two convolutions make of it, given the timestep."""
    h = _norm_act(x, f"{name}_norm0")
    h = _conv3(h, channels, f"{name}_conv0")
    # Zero: at first a block normalises only, whatever the timestep.
    modulation = layers.Dense(2 * channels, kernel_initializer="zeros", name=f"{name}_modulation")(
        condition
    )
    h = _norm_act(h, f"{name}_norm1", modulation)
    h = _conv3(h, channels, f"{name}_conv1")
    if x.shape[-1] != channels:
        x = layers.Dense(channels, name=f"{name}_project")(x)
    return layers.Add(name=f"{name}_add")([x, h])


def _attention(x: Any, num_heads: int, name: str) -> Any:
    """Add to each pixel what it gathers from the others."""
    h = GroupNorm(_groups(x.shape[-1]), name=f"{name}_norm")(x)
    h = SelfAttention2D(num_heads, name=name)(h)
    return layers.Add(name=f"{name}_add")([x, h])


def _head(x: Any, image_shape: tuple[int, int, int], patch_size: int) -> Any:
    """Write patches of pixels, float32; all zero before training (Ho et al. 2020's own choice)."""
    x = _norm_act(x, "head_norm")
    x = layers.Conv2D(
        image_shape[-1] * patch_size**2, 3, padding="same", kernel_initializer="zeros",
        dtype="float32", name="head_conv",
    )(x)  # fmt: skip
    return DepthToSpace(patch_size, dtype="float32", name="output")(x) if patch_size > 1 else x


def _norm_act(x: Any, name: str, modulation: Any = None) -> Any:
    x = GroupNorm(_groups(x.shape[-1]), name=name)(x, modulation)
    return layers.Activation("silu", name=f"{name}_act")(x)


def _conv3(x: Any, channels: int, name: str) -> Any:
    return layers.Conv2D(channels, 3, padding="same", kernel_initializer=blocks.HE, name=name)(x)


def _groups(channels: int) -> int:
    """Choose 8 groups, or fewer where 8 does not divide the channels."""
    return math.gcd(8, channels)
