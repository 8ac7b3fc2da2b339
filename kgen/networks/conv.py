"""Convolutional networks: a DCGAN (Radford et al. 2016) and a VAE of the same make.

Every level halves or doubles the resolution. Down: a 4x4 convolution of stride 2 (even kernel,
divisible by its stride). Up: sub-pixels and a 3x3 convolution, in place of a transposed
convolution, whose gradient is slow in XLA on CPUs and which phones' accelerators lack.
"""

from typing import Any

import keras
from keras import layers

from kgen.layers.norm import BatchNormalization
from kgen.layers.resample import DepthToSpace
from kgen.networks import blocks

BATCH_NORM_MOMENTUM = 0.9
"""How much of the running moments a step keeps; low, for runs of a few thousand steps."""


def generator(
    latent_dim: int,
    image_shape: tuple[int, int, int],
    widths: tuple[int, ...],
    num_classes: int | None,
    name: str,
) -> keras.Model:
    """Build an up-sampling network with batch norm and tanh: see `build_generator`."""
    inputs = {"z": blocks.latent_input(latent_dim)}
    x = blocks.with_class(inputs["z"], num_classes, inputs)
    x = _grow(x, image_shape, widths or _growing(image_shape), norm=True)
    x = _pixels(x, image_shape)
    return keras.Model(
        inputs, layers.Activation("tanh", dtype="float32", name="output")(x), name=name
    )


def discriminator(
    image_shape: tuple[int, int, int],
    widths: tuple[int, ...],
    dropout: float,
    bias: bool,
    num_classes: int | None,
    name: str,
) -> keras.Model:
    """Build a down-sampling network without norm: see `build_discriminator`.

    A class enters by projection, ``logit = w . f(x) + v_class . f(x)`` (Miyato & Koyama 2018,
    eq. 4): the features are read by one vector for all classes and one for the class.
    """
    inputs = {"image": blocks.image_input(image_shape)}
    # One level more than the generator has: the last sees the whole picture.
    x = _shrink(inputs["image"], widths or _shrinking(blocks.halvings(image_shape) + 1), dropout)
    x = layers.Flatten(name="flatten")(x)
    logit = layers.Dense(1, use_bias=bias, dtype="float32", name="logit")(x)
    if num_classes is not None:
        inputs["label"] = blocks.label_input()
        vector = blocks.class_vector(inputs["label"], num_classes)
        x = layers.Dense(blocks.CLASS_DIM, use_bias=bias, dtype="float32", name="class_features")(x)
        match = layers.Dot(axes=1, dtype="float32", name="class_match")([x, vector])
        logit = layers.Add(dtype="float32", name="class_logit")([logit, match])
    return keras.Model(inputs, logit, name=name)


def encoder(
    latent_dim: int,
    image_shape: tuple[int, int, int],
    widths: tuple[int, ...],
    num_classes: int | None,
    name: str,
) -> keras.Model:
    """Build a down-sampling network, then the mean and the log-variance: see `build_encoder`."""
    inputs = {"image": blocks.image_input(image_shape)}
    x = _shrink(inputs["image"], widths or _shrinking(blocks.halvings(image_shape)), 0.0)
    x = blocks.with_class(layers.Flatten(name="flatten")(x), num_classes, inputs)
    return keras.Model(inputs, blocks.posterior(x, latent_dim), name=name)


def decoder(
    latent_dim: int,
    image_shape: tuple[int, int, int],
    widths: tuple[int, ...],
    num_classes: int | None,
    name: str,
) -> keras.Model:
    """Build an up-sampling network to raw pixels: see `build_decoder`."""
    inputs = {"z": blocks.latent_input(latent_dim)}
    x = blocks.with_class(inputs["z"], num_classes, inputs)
    x = _grow(x, image_shape, widths or _growing(image_shape), norm=False)
    return keras.Model(inputs, _pixels(x, image_shape), name=name)


def _growing(image_shape: tuple[int, int, int]) -> tuple[int, ...]:
    """Return the default widths of what makes pictures: 64, 32 for 28 pixels."""
    return (64,) * (blocks.halvings(image_shape) - 1) + (32,)


def _shrinking(levels: int) -> tuple[int, ...]:
    """Return the default widths of what reads pictures: 32, 64, 128, 128, ..."""
    return tuple(min(32 * 2**level, 128) for level in range(levels))


def _shrink(x: Any, widths: tuple[int, ...], dropout: float) -> Any:
    """Halve the resolution once per width; of an odd side the greater half remains."""
    for i, width in enumerate(widths):
        x = blocks.leaky_relu(blocks.downsample(x, width, f"down{i}"), f"down{i}")
        if dropout:
            # Whole channels: few random numbers, and neighbours cannot fill in for a lost pixel.
            x = layers.SpatialDropout2D(dropout, name=f"down{i}_dropout")(x)
    return x


def _grow(x: Any, image_shape: tuple[int, int, int], widths: tuple[int, ...], norm: bool) -> Any:
    """Map a vector to a small picture, then double it once per further width."""
    height, width = blocks.base_size(image_shape, len(widths))
    units = height * width * widths[0]
    x = layers.Dense(units, use_bias=not norm, kernel_initializer=blocks.HE, name="base")(x)
    x = layers.Reshape((height, width, widths[0]), name="base_reshape")(x)
    x = _norm_act(x, norm, "base")
    for i, channels in enumerate(widths[1:]):
        x = blocks.upsample(x, channels, f"up{i}")
        x = layers.Conv2D(
            channels, 3, padding="same", use_bias=not norm, kernel_initializer=blocks.HE,
            name=f"up{i}_conv",
        )(x)  # fmt: skip
        x = _norm_act(x, norm, f"up{i}")
    return x


def _norm_act(x: Any, norm: bool, name: str) -> Any:
    if norm:
        x = BatchNormalization(
            momentum=BATCH_NORM_MOMENTUM,
            dtype="float32",
            name=f"{name}_norm",
        )(x)
    return blocks.leaky_relu(x, name)


def _pixels(x: Any, image_shape: tuple[int, int, int]) -> Any:
    """Double the resolution a last time, to one float32 number per pixel and channel."""
    x = layers.Conv2D(4 * image_shape[-1], 3, padding="same", dtype="float32", name="pixels_conv")(
        x
    )
    return DepthToSpace(2, dtype="float32", name="pixels")(x)
